//! Mutations that keep an input in its shape: lengths fit, JSON stays JSON, words stay words.
//!
//! Half of the time the fuzzer's own mutation of bytes is asked instead, so that shapes are broken, too. Invariant:
//! the same input, seed and length give the same output.

mod json;
mod words;

use crate::targets::Shape;

/// Random numbers from a seed: SplitMix64 (Steele, Lea and Flood, 2014).
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// Numbers from this seed.
    pub fn new(seed: u32) -> Self {
        Self(u64::from(seed))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 where that is 0.
    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.below(from.len()))
    }
}

/// The fuzzer's own mutation of bytes, to at most so many.
pub type Bytes<'a> = &'a mut dyn FnMut(&mut Vec<u8>, usize);

/// Mutates an input to at most `bytes_max` bytes.
pub fn mutate(
    shape: Shape,
    input: &[u8],
    bytes_max: usize,
    random: &mut Random,
    bytes: Bytes<'_>,
) -> Vec<u8> {
    let times = 1 + random.below(3);
    let mut output = input.to_vec();
    for _ in 0..times {
        let before = output.clone();
        let plainly = random.below(2) == 0;
        match shape {
            Shape::Bytes => bytes(&mut output, bytes_max),
            _ if plainly => bytes(&mut output, bytes_max),
            Shape::Frames => output = frames(&output, bytes_max, random, bytes),
            Shape::Arrow => numbers(&mut output, random),
            Shape::Parquet => output = footer(&output, bytes_max, random, bytes),
            Shape::Records => output = records(&output, bytes_max, random, bytes),
            Shape::Journal => output = journal(&output, bytes_max, random, bytes),
            Shape::Json => output = lines(&output, random),
            Shape::Words => output = words::mutate(&output, random),
        }
        if output.len() > bytes_max {
            output = before;
        }
    }
    output
}

/// A number that bounds are made of.
fn bound(random: &mut Random, length: usize) -> i64 {
    let length = length as i64;
    let near = [
        0,
        1,
        -1,
        2,
        7,
        8,
        64,
        127,
        128,
        255,
        256,
        4096,
        65_535,
        65_536,
        length,
        length - 1,
        length + 1,
    ];
    let far = [
        i64::MAX,
        i64::MIN,
        i32::MAX.into(),
        i32::MIN.into(),
        u32::MAX.into(),
        1 << 33,
        1 << 40,
        1 << 24,
    ];
    let chosen = if random.below(3) == 0 {
        random.pick(&far)
    } else {
        random.pick(&near)
    };
    chosen.copied().unwrap_or(0)
}

/// Puts a number in the place of another, at a multiple of its width.
fn numbers(bytes: &mut [u8], random: &mut Random) {
    let width = random.pick(&[1, 2, 4, 4, 8, 8]).copied().unwrap_or(4);
    let at = random.below(bytes.len() / width) * width;
    let length = bytes.len();
    let Some(place) = bytes.get_mut(at..at + width) else {
        return;
    };
    let mut old = [0; 8];
    old[..width].copy_from_slice(place);
    let new = match random.below(3) {
        0 => i64::from_le_bytes(old).wrapping_add(random.below(17) as i64 - 8),
        1 => 1_i64 << random.below(64),
        _ => bound(random, length),
    };
    place.copy_from_slice(&new.to_le_bytes()[..width]);
}

fn word(bytes: &[u8], at: usize) -> Option<usize> {
    let word = bytes.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_le_bytes(*word) as usize)
}

/// The headers and bodies of a put.
fn frames(input: &[u8], bytes_max: usize, random: &mut Random, bytes: Bytes<'_>) -> Vec<u8> {
    let mut messages = Vec::new();
    let mut rest = input;
    while let (Some(header), Some(body)) = (word(rest, 0), word(rest, 4)) {
        let end = 8_usize.saturating_add(header).saturating_add(body);
        let Some(message) = rest.get(8..end) else {
            break;
        };
        let (header, body) = message.split_at(header);
        messages.push((header.to_vec(), body.to_vec()));
        rest = &rest[end..];
    }
    let count = messages.len();
    let at = random.below(count);
    match random.below(8) {
        0 if count > 1 => drop(messages.remove(at)),
        1 if count > 0 => messages.push(messages[at].clone()),
        2 if count > 1 => messages.swap(at, random.below(count)),
        choice => {
            if let Some((header, body)) = messages.get_mut(at) {
                match choice {
                    3 => bytes(header, bytes_max),
                    4 => bytes(body, bytes_max),
                    5 => numbers(body, random),
                    _ => numbers(header, random),
                }
            }
        }
    }
    let mut output = Vec::with_capacity(input.len());
    for (header, body) in messages {
        output.extend((header.len() as u32).to_le_bytes());
        output.extend((body.len() as u32).to_le_bytes());
        output.extend(header);
        output.extend(body);
    }
    output
}

/// The footer of a Parquet file, with its length; or the pages before it, which keep theirs.
fn footer(input: &[u8], bytes_max: usize, random: &mut Random, bytes: Bytes<'_>) -> Vec<u8> {
    let mut output = input.to_vec();
    let trailer = input.len().checked_sub(8);
    let start = trailer.and_then(|trailer| trailer.checked_sub(word(input, trailer)?));
    let (Some(trailer), Some(start)) = (trailer, start) else {
        bytes(&mut output, bytes_max);
        return output;
    };
    if random.below(3) == 0 {
        numbers(&mut output[..start], random);
        return output;
    }
    let mut footer = input[start..trailer].to_vec();
    if random.below(3) == 0 {
        // Thrift's small numbers and the heads of its fields are single bytes.
        let at = random.below(footer.len());
        if let Some(byte) = footer.get_mut(at) {
            *byte = byte.wrapping_add(random.below(33) as u8).wrapping_sub(16);
        }
    } else {
        bytes(&mut footer, bytes_max);
    }
    output.truncate(start);
    output.extend(&footer);
    output.extend((footer.len() as u32).to_le_bytes());
    output.extend(&input[trailer + 4..]);
    output
}

/// The records of a journal, with their lengths.
fn journal(input: &[u8], bytes_max: usize, random: &mut Random, bytes: Bytes<'_>) -> Vec<u8> {
    const HEADER: usize = 64;
    const HEAD: usize = 24;
    let Some((header, mut rest)) = input.split_at_checked(HEADER) else {
        return input.to_vec();
    };
    let mut header = header.to_vec();
    let mut records = Vec::new();
    while let Some(length) = word(rest, 0) {
        let Some(record) = rest.get(..HEAD.saturating_add(length)) else {
            break;
        };
        records.push(record.to_vec());
        rest = &rest[record.len()..];
    }
    let count = records.len();
    let at = random.below(count);
    match (random.below(8), records.get_mut(at)) {
        (0, _) | (_, None) => numbers(&mut header, random),
        (1, _) if count > 1 => drop(records.remove(at)),
        (2, Some(record)) => {
            let again = record.clone();
            records.insert(at, again);
        }
        (3, Some(record)) => numbers(&mut record[..HEAD], random),
        (4, Some(record)) => record[4..8].copy_from_slice(b"torn"),
        (choice, Some(record)) => {
            let payload = match choice {
                5 => {
                    let mut payload = record[HEAD..].to_vec();
                    bytes(&mut payload, bytes_max);
                    payload
                }
                _ => json::mutate(&record[HEAD..], random),
            };
            record.truncate(HEAD);
            record[..4].copy_from_slice(&(payload.len() as u32).to_le_bytes());
            record.extend(payload);
        }
    }
    let mut output = header;
    output.extend(records.concat());
    output.extend(rest);
    output
}

/// A byte of options, then records with their lengths before them.
fn records(input: &[u8], bytes_max: usize, random: &mut Random, bytes: Bytes<'_>) -> Vec<u8> {
    let (choice, mut rest) = input.split_first().unwrap_or((&0, &[]));
    let mut choice = *choice;
    let mut records: Vec<Vec<u8>> = Vec::new();
    while let Some((length, behind)) = rest.split_first_chunk() {
        let length = u32::from_be_bytes(*length) as usize;
        let Some((record, behind)) = behind.split_at_checked(length) else {
            break;
        };
        records.push(record.to_vec());
        rest = behind;
    }
    let count = records.len();
    let at = random.below(count);
    match (random.below(8), records.get_mut(at)) {
        (0, _) | (_, None) => choice ^= 1 << random.below(2),
        (1, Some(record)) => {
            let again = record.clone();
            records.insert(at, again);
        }
        (2, Some(record)) => numbers(record, random),
        (_, Some(record)) => bytes(record, bytes_max),
    }
    let framed = records.iter().map(|record| {
        let length = (record.len() as u32).to_be_bytes();
        [&length, record.as_slice()].concat()
    });
    [
        vec![choice],
        framed.collect::<Vec<_>>().concat(),
        rest.to_vec(),
    ]
    .concat()
}

/// One line of JSON, or the lines' order.
fn lines(input: &[u8], random: &mut Random) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> = input.split(|byte| *byte == b'\n').map(Vec::from).collect();
    let count = lines.len();
    let at = random.below(count);
    match random.below(8) {
        0 if count > 1 => drop(lines.remove(at)),
        1 if count > 1 => lines.insert(at, lines[random.below(count)].clone()),
        2 if count > 1 => lines.swap(at, random.below(count)),
        _ => lines[at] = json::mutate(&lines[at], random),
    }
    lines.join(&b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seeds;
    use crate::targets::TARGETS;

    #[test]
    fn a_mutation_is_a_function_of_its_seed_and_keeps_to_the_length() {
        for target in TARGETS {
            let inputs = seeds::of(target.name).unwrap();
            let input = &inputs[inputs.len() / 2];
            let mut changed = 0;
            for seed in 0..100 {
                let once = || {
                    let mut flip = |bytes: &mut Vec<u8>, _: usize| {
                        bytes.iter_mut().take(1).for_each(|byte| *byte ^= 1);
                    };
                    let mut random = Random::new(seed);
                    mutate(
                        target.shape,
                        input,
                        target.bytes_max,
                        &mut random,
                        &mut flip,
                    )
                };
                let output = once();
                assert_eq!(output, once(), "{}", target.name);
                assert!(output.len() <= target.bytes_max.max(input.len()));
                changed += usize::from(output != *input);
            }
            assert!(
                changed > 50,
                "{} changed {changed} times of 100",
                target.name
            );
        }
    }
}
