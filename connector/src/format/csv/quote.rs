//! Which fields stand in quotes.
//!
//! Invariant: a field is quoted exactly where it is empty text, holds a character of CSV's own,
//! equals the null text, or is text that looks like another type.

use super::record::BYTE_ORDER_MARK;
use crate::format::text::{Kind, kind};
use arrow_schema::DataType;

/// Whether fields of the type are quoted where they look like another type.
pub(super) fn is_text(data_type: &DataType) -> bool {
    use DataType as D;
    matches!(
        data_type,
        D::Utf8
            | D::LargeUtf8
            | D::Binary
            | D::LargeBinary
            | D::FixedSizeBinary(_)
            | D::Time32(_)
            | D::Time64(_)
    )
}

/// Whether a printed field needs quotes.
pub(super) fn needs_quotes(field: &[u8], delimiter: u8, null: &[u8], text: bool) -> bool {
    field.is_empty()
        || field == null
        || field.starts_with(BYTE_ORDER_MARK)
        || field
            .iter()
            .any(|byte| *byte == delimiter || matches!(byte, b'"' | b'\n' | b'\r'))
        || (text && std::str::from_utf8(field).is_ok_and(|field| kind(field) != Kind::Text))
}
