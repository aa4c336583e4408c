//! The Arrow schema that a footer may hold, looked at before the library converts it.
//!
//! The library takes for granted that whoever wrote it was an Arrow library. Invariant: a schema that passed is
//! converted without a panic; one that the library refuses by itself passes, too.

use crate::ipc::{self, Refusal};
use ::parquet::arrow::ARROW_SCHEMA_META_KEY;
use ::parquet::file::metadata::FileMetaData;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Refuses a footer whose Arrow schema has a type that does not exist.
pub(super) fn check(footer: &FileMetaData) -> Result<(), String> {
    let entries = footer.key_value_metadata().into_iter().flatten();
    let schemas = entries.filter(|entry| entry.key == ARROW_SCHEMA_META_KEY);
    for text in schemas.filter_map(|entry| entry.value.as_deref()) {
        let Ok(bytes) = STANDARD.decode(text) else {
            continue;
        };
        // A continuation marker and the message's length, where there are any.
        let message = match bytes.as_slice() {
            [0xff, 0xff, 0xff, 0xff, _, _, _, _, message @ ..] if !message.is_empty() => message,
            message => message,
        };
        let Ok(message) = arrow_ipc::root_as_message(message) else {
            continue;
        };
        if let Some(schema) = message.header_as_schema() {
            ipc::check_description(schema).map_err(|refusal| {
                let (Refusal::Damaged(why) | Refusal::TooLarge(why) | Refusal::Bug(why)) = refusal;
                format!("its Arrow schema: {why}")
            })?;
        }
    }
    Ok(())
}
