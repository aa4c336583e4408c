//! What can be typed of the files that a command reads or writes.
//!
//! The same options hold for a file both ways. Invariant: what is typed is never taken for something else; what a file
//! could not be read back with, `connector::format` refuses.

use clap::Args;
use flinkspark_connector::format::{
    AvroCodec, AvroOptions, CsvOptions, Format, JsonOptions, ReadOptions, ThriftOptions,
    ThriftProtocol, WriteOptions,
};
use flinkspark_model::{Error, Kind, Result};
use std::path::PathBuf;

// No documentation comment: clap would take it for what the command is about.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct FileArgs {
    /// The format, whatever the file's name: arrow, parquet, csv, jsonl, avro or thrift
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<Format>,
    /// A CSV file has no header line
    #[arg(long)]
    pub no_header: bool,
    /// A text that stands for null in CSV where it is not quoted (default: the empty one); may be repeated, the first one is written
    #[arg(long, value_name = "TEXT")]
    pub null: Vec<String>,
    /// What stands between the fields of CSV: a character or "tab" (default: what the file's beginning shows)
    #[arg(long, value_name = "CHARACTER", value_parser = delimiter)]
    pub delimiter: Option<u8>,
    /// What stands around fields of CSV: a character or "none" (default: ")
    #[arg(long, value_name = "CHARACTER", value_parser = quote)]
    pub quote: Option<Quote>,
    /// How lines of CSV begin that are comments, such as #
    #[arg(long, value_name = "TEXT")]
    pub comment: Option<String>,
    /// The decimal point of CSV is a comma
    #[arg(long)]
    pub decimal_comma: bool,
    /// The encoding of CSV: utf-8, utf-16le, utf-16be, latin1 or windows-1252 (default: UTF-8, or what a byte order mark says)
    #[arg(long, value_name = "NAME")]
    pub encoding: Option<String>,
    /// How dates stand in CSV and JSON, such as dd.MM.yyyy
    #[arg(long, value_name = "PATTERN")]
    pub date_pattern: Option<String>,
    /// How times of a day stand in CSV and JSON, such as HHmmss
    #[arg(long, value_name = "PATTERN")]
    pub time_pattern: Option<String>,
    /// How timestamps without a zone stand in CSV and JSON, such as "dd/MM/yyyy HH:mm:ss"
    #[arg(long, value_name = "PATTERN")]
    pub timestamp_pattern: Option<String>,
    /// How timestamps with a zone stand in CSV and JSON, such as "yyyy-MM-dd HH:mm:ssXXX"
    #[arg(long, value_name = "PATTERN")]
    pub instant_pattern: Option<String>,
    /// An IDL that says what the records of a Thrift file are (default: the dataset's schema)
    #[arg(long, value_name = "FILE")]
    pub idl: Option<PathBuf>,
    /// The struct of the IDL that a record is (default: the last one that no other refers to)
    #[arg(long, value_name = "NAME", requires = "idl")]
    pub idl_struct: Option<String>,
    /// How an Avro file is packed: null, deflate, snappy, zstandard, bzip2 or xz (default: zstandard)
    #[arg(long, value_name = "NAME")]
    pub codec: Option<AvroCodec>,
    /// An Avro schema that Avro files are read at: what is promoted, renamed or has a default (default: the file's own)
    #[arg(long, value_name = "FILE")]
    pub avro_schema: Option<PathBuf>,
    /// A Thrift file is in the compact protocol (default: the binary one)
    #[arg(long)]
    pub compact: bool,
}

/// What stands around fields, if anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quote(pub Option<u8>);

impl FileArgs {
    /// How a file is read.
    pub(crate) fn read(&self) -> Result<ReadOptions> {
        Ok(ReadOptions {
            format: self.format,
            avro: self.avro()?,
            csv: self.csv()?,
            json: self.json(),
            thrift: self.thrift()?,
            ..ReadOptions::default()
        })
    }

    /// How a file is written.
    pub(crate) fn write(&self) -> Result<WriteOptions> {
        Ok(WriteOptions {
            format: self.format,
            avro_codec: self.codec.unwrap_or_default(),
            csv: self.csv()?,
            json: self.json(),
            thrift: self.thrift()?,
            ..WriteOptions::default()
        })
    }

    fn csv(&self) -> Result<CsvOptions> {
        let usual = CsvOptions::default();
        let encoding = self.encoding.as_deref();
        Ok(CsvOptions {
            nulls: self.null.clone(),
            header: !self.no_header,
            delimiter: self.delimiter,
            quote: self.quote.map_or(usual.quote, |quote| quote.0),
            comment: self.comment.clone(),
            date: self.date_pattern.clone(),
            time: self.time_pattern.clone(),
            timestamp: self.timestamp_pattern.clone(),
            instant: self.instant_pattern.clone(),
            decimal_comma: self.decimal_comma,
            encoding: encoding.map(str::parse).transpose()?,
        })
    }

    fn thrift(&self) -> Result<ThriftOptions> {
        Ok(ThriftOptions {
            protocol: match self.compact {
                true => ThriftProtocol::Compact,
                false => ThriftProtocol::Binary,
            },
            idl: text("the IDL", self.idl.as_ref())?,
            structure: self.idl_struct.clone(),
        })
    }

    fn avro(&self) -> Result<AvroOptions> {
        let schema = text("the Avro schema", self.avro_schema.as_ref())?;
        Ok(AvroOptions { schema })
    }

    fn json(&self) -> JsonOptions {
        JsonOptions {
            date: self.date_pattern.clone(),
            time: self.time_pattern.clone(),
            timestamp: self.timestamp_pattern.clone(),
            instant: self.instant_pattern.clone(),
        }
    }
}

/// The text of a file that an option names, `what` it is.
fn text(what: &str, path: Option<&PathBuf>) -> Result<Option<String>> {
    let read = |path: &PathBuf| {
        std::fs::read_to_string(path).map_err(|cause| {
            let what = format!("{what} {} cannot be read", path.display());
            Error::new(Kind::Invalid, "FS0302", what)
                .with_source(cause)
                .with_hint("name a file that can be read, in UTF-8")
        })
    };
    path.map(read).transpose()
}

fn delimiter(text: &str) -> Result<u8, String> {
    match text {
        "tab" | r"\t" => Ok(b'\t'),
        _ => character(text),
    }
}

fn quote(text: &str) -> Result<Quote, String> {
    match text {
        "none" => Ok(Quote(None)),
        _ => character(text).map(|character| Quote(Some(character))),
    }
}

fn character(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        [character] if character.is_ascii() => Ok(*character),
        _ => Err(format!("\"{text}\" is not one ASCII character")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_taken_as_typed() {
        assert_eq!(delimiter(";"), Ok(b';'));
        assert_eq!(delimiter("tab"), Ok(b'\t'));
        assert_eq!(delimiter(r"\t"), Ok(b'\t'));
        assert_eq!(delimiter("\t"), Ok(b'\t'));
        assert_eq!(quote("none"), Ok(Quote(None)));
        assert_eq!(quote("'"), Ok(Quote(Some(b'\''))));
        for wrong in ["", ";;", "\u{a7}"] {
            assert!(delimiter(wrong).is_err() && quote(wrong).is_err());
        }
    }

    #[test]
    fn nothing_typed_is_the_default() -> Result<()> {
        let none = FileArgs::default();
        assert_eq!(none.read()?, ReadOptions::default());
        assert_eq!(none.write()?, WriteOptions::default());
        Ok(())
    }

    #[test]
    fn patterns_hold_for_both_formats() -> Result<()> {
        let typed = FileArgs {
            date_pattern: Some("dd.MM.yyyy".into()),
            encoding: Some("latin1".into()),
            ..FileArgs::default()
        };
        let read = typed.read()?;
        assert_eq!(read.csv.date, read.json.date);
        assert_eq!(typed.write()?.csv, read.csv);
        let unknown = FileArgs {
            encoding: Some("ebcdic".into()),
            ..FileArgs::default()
        };
        let error = unknown.read().map_err(|error| error.code().to_owned());
        assert_eq!(error.err().as_deref(), Some("FS0309"));
        Ok(())
    }
}
