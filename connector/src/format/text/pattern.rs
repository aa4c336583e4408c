//! Dates and times in a declared order of their parts, with the letters that Flink and Spark use for it.
//!
//! Translates such a text to the ISO 8601 text of the same value and back; what a date is, [`super::calendar`] knows.
//! Every part has a fixed width, so that a text is read in one way. Invariant: what is translated there is the same when
//! it is translated back.

/// A part of a date or time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    /// So many digits of a second's fraction.
    Fraction(usize),
    /// `Z`, or an offset such as `+01:00`.
    Offset,
    Literal(char),
}

/// Which parts a pattern has to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::format) enum Of {
    Date,
    Time,
    /// A date and a time.
    Timestamp,
    /// Both, and an offset.
    Instant,
}

/// An order of parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::format) struct Pattern {
    of: Of,
    parts: Vec<Part>,
}

/// The texts of the parts; those that a pattern lacks are zero.
struct Texts<'a> {
    year: &'a str,
    month: &'a str,
    day: &'a str,
    hour: &'a str,
    minute: &'a str,
    second: &'a str,
    fraction: &'a str,
    offset: &'a str,
}

impl Texts<'_> {
    const NONE: Self = Self {
        year: "",
        month: "",
        day: "",
        hour: "00",
        minute: "00",
        second: "00",
        fraction: "",
        offset: "",
    };
}

impl Pattern {
    /// The pattern that a text declares, or why it is none.
    pub(in crate::format) fn new(text: &str, of: Of) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(letter) = rest.chars().next() {
            if letter == '\'' {
                let quoted = rest.get(1..).unwrap_or_default();
                let (literal, after) = quoted.split_once('\'').ok_or("a quote is not closed")?;
                let literal = if literal.is_empty() { "'" } else { literal };
                parts.extend(literal.chars().map(Part::Literal));
                rest = after;
                continue;
            }
            let after = rest.trim_start_matches(letter);
            let (run, after) = rest.split_at(rest.len() - after.len());
            rest = after;
            match run {
                "yyyy" | "uuuu" => parts.push(Part::Year),
                "MM" => parts.push(Part::Month),
                "dd" => parts.push(Part::Day),
                "HH" => parts.push(Part::Hour),
                "mm" => parts.push(Part::Minute),
                "ss" => parts.push(Part::Second),
                "XXX" => parts.push(Part::Offset),
                _ if letter == 'S' && run.len() <= 9 => parts.push(Part::Fraction(run.len())),
                _ if letter.is_ascii_alphabetic() => return Err(format!("{run} is no part")),
                _ => parts.extend(run.chars().map(Part::Literal)),
            }
        }
        Self { of, parts }.checked()
    }

    /// Refuses a part that is there twice, too much or not at all.
    fn checked(self) -> Result<Self, String> {
        use Part as P;
        let count = |part: fn(&Part) -> bool| self.parts.iter().filter(|found| part(found)).count();
        let (date, time) = match self.of {
            Of::Date => (1, 0),
            Of::Time => (0, 1),
            Of::Timestamp | Of::Instant => (1, 1),
        };
        let seconds = count(|part| *part == P::Second);
        let offset = usize::from(self.of == Of::Instant);
        for (name, found, least, most) in [
            ("yyyy", count(|part| *part == P::Year), date, date),
            ("MM", count(|part| *part == P::Month), date, date),
            ("dd", count(|part| *part == P::Day), date, date),
            ("HH", count(|part| *part == P::Hour), time, time),
            ("mm", count(|part| *part == P::Minute), time, time),
            ("ss", seconds, 0, time),
            (
                "S",
                count(|part| matches!(part, P::Fraction(_))),
                0,
                seconds,
            ),
            ("XXX", count(|part| *part == P::Offset), offset, offset),
        ] {
            if found < least {
                return Err(format!("{name} is missing"));
            }
            if found > most {
                return Err(format!("{name} is too much"));
            }
        }
        Ok(self)
    }

    /// The ISO 8601 text of the same value; `None` for a text that is not of the pattern.
    pub(in crate::format) fn to_iso(&self, text: &str) -> Option<String> {
        let mut texts = Texts::NONE;
        let mut rest = text;
        for part in &self.parts {
            let (place, width) = match part {
                Part::Year => (&mut texts.year, 4),
                Part::Month => (&mut texts.month, 2),
                Part::Day => (&mut texts.day, 2),
                Part::Hour => (&mut texts.hour, 2),
                Part::Minute => (&mut texts.minute, 2),
                Part::Second => (&mut texts.second, 2),
                Part::Fraction(digits) => (&mut texts.fraction, *digits),
                Part::Offset => {
                    let width = if rest.starts_with('Z') { 1 } else { 6 };
                    (texts.offset, rest) = rest.split_at_checked(width)?;
                    continue;
                }
                Part::Literal(character) => {
                    rest = rest.strip_prefix(*character)?;
                    continue;
                }
            };
            (*place, rest) = rest.split_at_checked(width)?;
            if !place.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
        }
        rest.is_empty().then(|| self.iso(&texts))
    }

    fn iso(&self, texts: &Texts<'_>) -> String {
        let date = format!("{}-{}-{}", texts.year, texts.month, texts.day);
        let point = if texts.fraction.is_empty() { "" } else { "." };
        let (hour, minute, second) = (texts.hour, texts.minute, texts.second);
        let time = format!("{hour}:{minute}:{second}{point}{}", texts.fraction);
        match self.of {
            Of::Date => date,
            Of::Time => time,
            Of::Timestamp | Of::Instant => format!("{date}T{time}{}", texts.offset),
        }
    }

    /// The text of the value whose ISO 8601 text this is, as the printers print it; `None` where the pattern has no
    /// room for one of its parts.
    pub(in crate::format) fn of_iso(&self, iso: &str) -> Option<String> {
        let (date, time) = match self.of {
            Of::Date => (iso, "00:00:00"),
            Of::Time => ("0000-00-00", iso),
            Of::Timestamp | Of::Instant => iso.split_once('T')?,
        };
        let (time, offset) = match time.strip_suffix('Z') {
            Some(time) => (time, "Z"),
            None => (time, ""),
        };
        let (time, fraction) = time.split_once('.').unwrap_or((time, ""));
        let mut out = String::new();
        for part in &self.parts {
            let text = match part {
                // A year that is longer has a sign.
                Part::Year => date.get(..4)?,
                Part::Month => date.get(5..7)?,
                Part::Day => date.get(8..)?,
                Part::Hour => time.get(..2)?,
                Part::Minute => time.get(3..5)?,
                Part::Second => time.get(6..)?,
                Part::Offset => offset,
                Part::Literal(character) => {
                    out.push(*character);
                    continue;
                }
                Part::Fraction(digits) => {
                    let kept = fraction.trim_end_matches('0');
                    out.push_str(&format!("{kept:0<digits$}"));
                    continue;
                }
            };
            out.push_str(text);
        }
        let back = self.to_iso(&out)?;
        (without_zeros(&back) == without_zeros(iso)).then_some(out)
    }
}

/// The text of a moment without zeros at the end of its fraction, in two parts.
fn without_zeros(iso: &str) -> (&str, &str) {
    let (moment, offset) = match iso.strip_suffix('Z') {
        Some(moment) => (moment, "Z"),
        None => (iso, ""),
    };
    let kept = match moment.contains('.') {
        true => moment.trim_end_matches('0').trim_end_matches('.'),
        false => moment,
    };
    (kept, offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_a_pattern_are_iso_texts_and_back() {
        for (pattern, of, text, iso) in [
            ("yyyyMMdd", Of::Date, "20130131", "2013-01-31"),
            ("dd.MM.uuuu", Of::Date, "31.01.2013", "2013-01-31"),
            ("HHmm", Of::Time, "0515", "05:15:00"),
            ("HH:mm:ss.SSS", Of::Time, "05:15:00.120", "05:15:00.120"),
            (
                "MM/dd/yyyy 'at' HH:mm:ss",
                Of::Timestamp,
                "01/31/2013 at 05:15:07",
                "2013-01-31T05:15:07",
            ),
            (
                "yyyy-MM-dd HH:mm:ss.SSSSSS",
                Of::Timestamp,
                "2013-01-31 05:15:07.000001",
                "2013-01-31T05:15:07.000001",
            ),
            (
                "yyyy-MM-dd''HH:mmXXX",
                Of::Instant,
                "2013-01-31'05:15Z",
                "2013-01-31T05:15:00Z",
            ),
        ] {
            let pattern = Pattern::new(pattern, of).unwrap();
            assert_eq!(pattern.to_iso(text).as_deref(), Some(iso), "{text}");
            assert_eq!(pattern.of_iso(iso).as_deref(), Some(text), "{iso}");
            assert_eq!(pattern.to_iso(&format!("{text}x")), None);
            assert_eq!(pattern.to_iso(&text[1..]), None);
        }
    }

    #[test]
    fn what_a_pattern_has_no_room_for_has_no_text() {
        for (pattern, of, iso) in [
            ("yyyyMMdd", Of::Date, "+10000-01-01"),
            ("yyyyMMdd", Of::Date, "-0001-12-31"),
            ("HHmm", Of::Time, "05:15:01"),
            ("HH:mm:ss.SSS", Of::Time, "05:15:00.0001"),
            ("yyyyMMddHHmm", Of::Timestamp, "2013-01-31T05:15:00.500"),
        ] {
            let pattern = Pattern::new(pattern, of).unwrap();
            assert_eq!(pattern.of_iso(iso), None, "{iso}");
        }
    }

    #[test]
    fn a_pattern_has_each_part_once() {
        for (pattern, of, why) in [
            ("yyyy-MM", Of::Date, "dd is missing"),
            ("yyyy-MM-dd HH", Of::Date, "HH is too much"),
            ("yyyy-MM-dd-dd", Of::Date, "dd is too much"),
            ("yy-MM-dd", Of::Date, "yy is no part"),
            ("HH:mm:ss a", Of::Time, "a is no part"),
            ("HH:mm.SSS", Of::Time, "S is too much"),
            ("HH:mm:ss.SSSSSSSSSS", Of::Time, "SSSSSSSSSS is no part"),
            ("yyyyMMddHHmm", Of::Instant, "XXX is missing"),
            ("yyyyMMddHHmmXXX", Of::Timestamp, "XXX is too much"),
            ("HH'mm", Of::Time, "a quote is not closed"),
        ] {
            assert_eq!(Pattern::new(pattern, of), Err(why.to_owned()), "{pattern}");
        }
    }
}
