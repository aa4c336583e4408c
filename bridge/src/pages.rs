//! The pages behind error codes, as `flinkspark explain CODE` prints them.

use flinkspark_model::{Error, Kind, Result};

/// Code and page, in code order.
const PAGES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/pages.rs"));

/// The page of a code, in whatever case it is written.
pub fn page(code: &str) -> Result<&'static str> {
    let wanted = code.to_uppercase();
    PAGES
        .iter()
        .find(|(code, _)| *code == wanted)
        .map(|(_, page)| *page)
        .ok_or_else(|| {
            Error::new(
                Kind::Invalid,
                "FS0001",
                format!("there is no error code \"{}\"", code.escape_debug()),
            )
            .with_detail(format!(
                "{} codes have pages, from {} on",
                PAGES.len(),
                PAGES.first().map_or("none", |p| p.0)
            ))
            .with_hint("copy the code from the error's first line, such as FS0101")
        })
}
