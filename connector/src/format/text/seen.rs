//! Which type a column has, from all of its texts.
//!
//! Invariant: the type holds every text of the column without loss of a digit; where no narrower one does, it is
//! text. What a value of the type would be written as otherwise than it stands there is said.

use super::look::{Fixed, Kind, kind, restated};
use arrow_schema::{DataType, TimeUnit};
use flinkspark_model::schema::type_name;

/// Digits of a decimal type that is inferred: what comes later may be larger.
const DECIMAL_DIGITS_MIN: u8 = 18;

/// A field that would be written as another text.
#[derive(Debug, Clone)]
pub(in crate::format) struct Restated {
    pub(in crate::format) line: u64,
    pub(in crate::format) text: String,
    pub(in crate::format) written: String,
}

impl Restated {
    /// What is to be said of the column that it stands in.
    pub(in crate::format) fn notice(&self, name: &str, data_type: &DataType) -> String {
        format!(
            "column \"{}\" is read as {}: \"{}\" in line {} will be written as {}",
            name.escape_debug(),
            type_name(data_type),
            self.text.escape_debug(),
            self.line,
            self.written
        )
    }
}

/// What was seen of a column.
#[derive(Debug, Clone)]
pub(in crate::format) struct Seen {
    booleans: bool,
    integers: bool,
    floats: bool,
    decimals: bool,
    /// The digits of all numbers with a point, as long as they have the same scale.
    fixed: Option<Fixed>,
    /// Whether they have not.
    unfixed: bool,
    dates: bool,
    local: bool,
    zoned: bool,
    text: bool,
    exact: bool,
    micros: bool,
    nanos: bool,
    /// The first integer, as it would be written among floats.
    integer: Option<Restated>,
    /// The first other field that would be written otherwise, in microseconds and in nanoseconds.
    other: [Option<Restated>; 2],
}

impl Seen {
    pub(in crate::format) const NOTHING: Self = Self {
        booleans: false,
        integers: false,
        floats: false,
        decimals: false,
        fixed: None,
        unfixed: false,
        dates: false,
        local: false,
        zoned: false,
        text: false,
        exact: true,
        micros: true,
        nanos: true,
        integer: None,
        other: [None, None],
    };

    /// Counts a text that is never anything else.
    pub(in crate::format) fn see_text(&mut self) {
        self.text = true;
    }

    /// Counts what the text of a line looks like.
    pub(in crate::format) fn see(&mut self, text: &str, line: u64) {
        let kind = kind(text);
        let restate = |known: &mut Option<Restated>, nanos| {
            if known.is_none()
                && let Some(written) = restated(text, kind, nanos)
            {
                let text = text.into();
                *known = Some(Restated {
                    line,
                    text,
                    written,
                });
            }
        };
        if matches!(kind, Kind::Integer { .. }) {
            restate(&mut self.integer, false);
        } else {
            let [micros, nanos] = &mut self.other;
            restate(micros, false);
            restate(nanos, true);
        }
        match kind {
            Kind::Text => self.text = true,
            Kind::Boolean => self.booleans = true,
            Kind::Integer { exact } => {
                self.integers = true;
                self.exact &= exact;
            }
            Kind::Float => {
                self.floats = true;
                self.add_fixed(Fixed::of(text));
            }
            Kind::Decimal => {
                self.decimals = true;
                self.add_fixed(Fixed::of(text));
            }
            Kind::Date => self.dates = true,
            Kind::Timestamp {
                zoned,
                micros,
                nanos,
            } => {
                self.zoned |= zoned;
                self.local |= !zoned;
                self.micros &= micros;
                self.nanos &= nanos;
            }
        }
    }

    /// Counts what was seen in lines behind these.
    pub(in crate::format) fn add(&mut self, behind: Self) {
        for (all, more) in [
            (&mut self.booleans, behind.booleans),
            (&mut self.integers, behind.integers),
            (&mut self.floats, behind.floats),
            (&mut self.decimals, behind.decimals),
            (&mut self.dates, behind.dates),
            (&mut self.local, behind.local),
            (&mut self.zoned, behind.zoned),
            (&mut self.text, behind.text),
        ] {
            *all |= more;
        }
        for (all, more) in [
            (&mut self.exact, behind.exact),
            (&mut self.micros, behind.micros),
            (&mut self.nanos, behind.nanos),
        ] {
            *all &= more;
        }
        self.integer = self.integer.take().or(behind.integer);
        for (first, other) in self.other.iter_mut().zip(behind.other) {
            *first = first.take().or(other);
        }
        match behind.fixed {
            Some(fixed) => self.add_fixed(Some(fixed)),
            None if behind.unfixed => self.add_fixed(None),
            None => {}
        }
    }

    /// Counts the digits of numbers with a point; `None` where they have no scale in common.
    fn add_fixed(&mut self, fixed: Option<Fixed>) {
        self.fixed = match (fixed, self.fixed) {
            (Some(new), Some(known)) if new.scale == known.scale => Some(Fixed {
                whole: known.whole.max(new.whole),
                ..known
            }),
            (Some(new), None) if !self.unfixed => Some(new),
            _ => {
                self.unfixed = true;
                None
            }
        };
    }

    /// The decimal type that writes every number as it stands; with room for larger ones.
    fn decimal(&self) -> Option<DataType> {
        let Fixed { whole, scale } = self.fixed.filter(|_| !self.integers)?;
        let digits = whole.checked_add(scale)?.max(DECIMAL_DIGITS_MIN);
        let scale = i8::try_from(scale).ok()?;
        (digits <= Fixed::DIGITS_MAX).then_some(DataType::Decimal128(digits, scale))
    }

    /// What is to be said of the column at its type.
    pub(in crate::format) fn notice(&self, name: &str, data_type: &DataType) -> Option<String> {
        let [micros, nanos] = &self.other;
        let restated = match data_type {
            DataType::Float64 => self.integer.as_ref(),
            DataType::Timestamp(TimeUnit::Nanosecond, _) => nanos.as_ref(),
            DataType::Boolean | DataType::Date32 | DataType::Timestamp(..) => micros.as_ref(),
            _ => None,
        }?;
        Some(restated.notice(name, data_type))
    }

    /// The first type that holds everything that was seen.
    pub(in crate::format) fn data_type(&self) -> DataType {
        let numbers = self.integers || self.floats || self.decimals;
        let kinds = [self.booleans, numbers, self.dates, self.local, self.zoned];
        if self.text || kinds.into_iter().filter(|kind| *kind).count() != 1 {
            return DataType::Utf8;
        }
        if self.booleans {
            return DataType::Boolean;
        }
        if self.dates {
            return DataType::Date32;
        }
        if self.decimals {
            return self.decimal().unwrap_or(DataType::Utf8);
        }
        if numbers {
            return match (self.floats, self.exact) {
                (false, _) => DataType::Int64,
                (true, true) => DataType::Float64,
                (true, false) => DataType::Utf8,
            };
        }
        let zone = self.zoned.then(|| "UTC".into());
        match (self.micros, self.nanos) {
            (true, _) => DataType::Timestamp(TimeUnit::Microsecond, zone),
            (false, true) => DataType::Timestamp(TimeUnit::Nanosecond, zone),
            (false, false) => DataType::Utf8,
        }
    }
}
