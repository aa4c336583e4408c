//! What a decoded footer says that the library takes for granted: its Arrow schema, and where its columns lie.
//!
//! Invariant: a schema that passed is converted without a panic, and no column lies before the file; what the
//! library refuses by itself passes, too.

use crate::ipc::{self, Refusal};
use ::parquet::arrow::ARROW_SCHEMA_META_KEY;
use ::parquet::file::metadata::{FileMetaData, ParquetMetaData};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Refuses a footer that the library would not survive.
pub(super) fn check(footer: &ParquetMetaData) -> Result<(), String> {
    for (at, group) in footer.row_groups().iter().enumerate() {
        for column in group.columns() {
            let starts = [
                Some(column.data_page_offset()),
                column.dictionary_page_offset(),
            ];
            if column.compressed_size() < 0 || starts.into_iter().flatten().any(|start| start < 0) {
                let path = column.column_path();
                return Err(format!(
                    "column {path} of row group {} lies outside of it",
                    at + 1
                ));
            }
        }
    }
    check_schema(footer.file_metadata())
}

/// Refuses an Arrow schema that has a type that does not exist.
fn check_schema(footer: &FileMetaData) -> Result<(), String> {
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
