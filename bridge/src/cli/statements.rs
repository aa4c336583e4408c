//! Statements where they lie: in files and on standard input, with their variables.

use flinkspark_adapter::front::flink::script;
use flinkspark_model::{Error, Kind, Result};
use std::io::Read;
use std::path::Path;

/// The text of a file, or of standard input where it is called `-`.
pub(super) fn read(file: &Path) -> Result<String> {
    if file.as_os_str() == "-" {
        return standard_input();
    }
    std::fs::read_to_string(file).map_err(|cause| {
        let what = format!("the file {} cannot be read", file.display());
        Error::new(Kind::Invalid, "FS0020", what)
            .with_source(cause)
            .with_hint("name a file that holds statements, such as INSERT INTO ... SELECT")
    })
}

/// The text of standard input.
pub(super) fn standard_input() -> Result<String> {
    let mut text = String::new();
    let read = std::io::stdin().read_to_string(&mut text);
    read.map(|_| text).map_err(|cause| {
        let what = "the statements on standard input cannot be read";
        Error::new(Kind::Invalid, "FS0020", what).with_source(cause)
    })
}

/// The text with the values of its variables, of which none is left over.
pub(super) fn substituted(text: &str, values: &[(String, String)]) -> Result<String> {
    script::substitute(text, &values.iter().cloned().collect())
}

/// `NAME=VALUE`.
pub(super) fn variable(text: &str) -> std::result::Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let pair = pair.map(|(name, value)| (name.to_owned(), value.to_owned()));
    pair.ok_or_else(|| format!("\"{text}\" is not NAME=VALUE"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_a_name_and_a_value_that_may_hold_anything() {
        let pair = |name: &str, value: &str| Ok((name.to_owned(), value.to_owned()));
        assert_eq!(variable("a=b=c"), pair("a", "b=c"));
        assert_eq!(variable("a="), pair("a", ""));
        assert!(variable("=b").is_err() && variable("a").is_err());
    }
}
