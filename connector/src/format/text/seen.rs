//! Which type a column has, from all of its texts.
//!
//! Invariant: the type holds every text of the column without loss of a digit; where no narrower one does, it is
//! text. What a value of the type would be written as otherwise than it stands there is said.

use super::look::{Kind, kind, restated};
use arrow_schema::{DataType, TimeUnit};
use flinkspark_model::schema::type_name;

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
            Kind::Float => self.floats = true,
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
        let numbers = self.integers || self.floats;
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
