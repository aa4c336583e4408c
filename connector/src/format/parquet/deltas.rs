//! Pages whose texts are delta-encoded, looked at before the decoder takes room by the counts in them.
//!
//! The decoder takes room for as many lengths as a page states, and ends the process where there is none. Invariant:
//! a page that passed states no more lengths than values, and not more than [`VALUES_MAX`].

use ::parquet::basic::Encoding;
use ::parquet::column::page::Page;
use ::parquet::schema::types::ColumnDescriptor;

/// The most values of one page; writers stop at 20,000 rows, or at a megabyte.
const VALUES_MAX: u64 = 4 << 20;

/// Refuses a page that states more lengths than it can have.
pub(super) fn check(page: &Page, column: &ColumnDescriptor) -> Result<(), String> {
    let blocks = match page.encoding() {
        Encoding::DELTA_LENGTH_BYTE_ARRAY => 1,
        Encoding::DELTA_BYTE_ARRAY => 2,
        _ => return Ok(()),
    };
    let values_max = u64::from(page.num_values()).min(VALUES_MAX);
    let mut rest = values(page, column).ok_or("the levels of a page are longer than it")?;
    // Where every value is null there may be nothing at all.
    if rest.is_empty() {
        return Ok(());
    }
    for _ in 0..blocks {
        let lengths = skip_block(&mut rest).ok_or("the lengths in a page are damaged")?;
        if lengths > values_max {
            return Err(format!(
                "a page of {} values states {lengths} lengths; the limit is {values_max}",
                page.num_values()
            ));
        }
    }
    Ok(())
}

/// What lies behind the levels of a page.
fn values<'p>(page: &'p Page, column: &ColumnDescriptor) -> Option<&'p [u8]> {
    match page {
        Page::DataPage {
            buf,
            num_values,
            def_level_encoding,
            rep_level_encoding,
            ..
        } => {
            let mut rest = buf.as_ref();
            let levels = [
                (column.max_rep_level(), rep_level_encoding),
                (column.max_def_level(), def_level_encoding),
            ];
            for (level, encoding) in levels {
                let bits = u64::from(16 - level.leading_zeros());
                let bytes = match encoding {
                    _ if level == 0 => 0,
                    Encoding::RLE => {
                        u64::from(u32::from_le_bytes(*take(&mut rest, 4)?.first_chunk()?))
                    }
                    _ => (u64::from(*num_values) * bits).div_ceil(8),
                };
                take(&mut rest, bytes)?;
            }
            Some(rest)
        }
        Page::DataPageV2 {
            buf,
            def_levels_byte_len,
            rep_levels_byte_len,
            ..
        } => {
            let levels = u64::from(*def_levels_byte_len) + u64::from(*rep_levels_byte_len);
            buf.get(usize::try_from(levels).ok()?..)
        }
        Page::DictionaryPage { buf, .. } => Some(buf),
    }
}

/// Skips numbers in DELTA_BINARY_PACKED; how many there are.
fn skip_block(rest: &mut &[u8]) -> Option<u64> {
    let (block, parts, count) = (varint(rest)?, varint(rest)?, varint(rest)?);
    varint(rest)?;
    let per_part = block.checked_div(parts)?;
    let mut left = count.saturating_sub(1);
    while left > 0 {
        varint(rest)?;
        for width in take(rest, parts)? {
            if left > 0 {
                let bits = per_part.checked_mul(u64::from(*width))?;
                take(rest, bits.div_ceil(8))?;
                left = left.saturating_sub(per_part);
            }
        }
    }
    Some(count)
}

fn take<'b>(rest: &mut &'b [u8], bytes: u64) -> Option<&'b [u8]> {
    let (taken, left) = rest.split_at_checked(usize::try_from(bytes).ok()?)?;
    *rest = left;
    Some(taken)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(rest, 1)?.first()?;
        value |= u64::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Some(value);
        }
    }
    None
}
