//! What a put says of its columns, beside where its rows go.
//!
//! Invariant: a put that says nothing must bring the dataset's columns as they are, and a profile without a use is refused.

use super::{limits, parse};
use flinkspark_model::matching::Match;
use flinkspark_model::profile::Profile;
use flinkspark_model::{Error, Kind, Result};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Map, Value};

/// How the columns of a put become the dataset's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub(in crate::flight) struct Columns {
    /// `exact` or `name`.
    #[serde(default, rename = "match")]
    pub(in crate::flight) matched: Match,
    /// Whose names they are: Spark's go without case.
    #[serde(default)]
    pub(in crate::flight) profile: Profile,
}

/// The command of a put: where its rows go, and what it says of its columns.
pub(in crate::flight) fn parse_put<C: DeserializeOwned>(json: &[u8]) -> Result<(C, Columns)> {
    const WHAT: &str = "descriptor's command";
    if !says(json) {
        return Ok((parse(WHAT, json)?, Columns::default()));
    }
    let mut command: Map<String, Value> = parse(WHAT, json)?;
    let mut said = Map::new();
    for key in ["match", "profile"] {
        if let Some(value) = command.remove(key) {
            said.insert(key.into(), value);
        }
    }
    let stated = said.contains_key("profile");
    let columns: Columns = again(WHAT, said)?;
    if stated && columns.matched == Match::Exact {
        return Err(Error::new(
            Kind::Invalid,
            "FS0411",
            format!("the {WHAT} was not understood"),
        )
        .with_detail("a profile says how names are compared, and this put does not go by name")
        .with_hint("add \"match\": \"name\", or leave the profile out"));
    }
    Ok((again(WHAT, command)?, columns))
}

/// Whether a command says anything of its columns.
fn says(json: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Says {
        r#match: Option<IgnoredAny>,
        profile: Option<IgnoredAny>,
    }
    let says = json.len() <= limits::BODY_BYTES_MAX;
    says && serde_json::from_slice::<Says>(json)
        .is_ok_and(|says| says.r#match.is_some() || says.profile.is_some())
}

fn again<T: DeserializeOwned>(what: &str, object: Map<String, Value>) -> Result<T> {
    parse(what, Value::Object(object).to_string().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flight::body::{PutCommand, WriterPutCommand};

    #[test]
    fn a_put_says_how_its_columns_are_matched_beside_where_its_rows_go() {
        let named = |profile| Columns {
            matched: Match::Name,
            profile,
        };
        for (json, columns) in [
            (r#"{"txn": "t"}"#, Columns::default()),
            (r#"{"txn": "t", "match": "exact"}"#, Columns::default()),
            (r#"{"match": "name", "txn": "t"}"#, named(Profile::Generic)),
            (
                r#"{"txn": "t", "match": "name", "profile": "spark4"}"#,
                named(Profile::Spark4),
            ),
        ] {
            let (command, said) = parse_put::<PutCommand>(json.as_bytes()).unwrap();
            assert_eq!((command.txn.as_str(), said), ("t", columns), "{json}");
        }
        let json = r#"{"dataset": "d", "writer": "w", "match": "name"}"#;
        let (command, said) = parse_put::<WriterPutCommand>(json.as_bytes()).unwrap();
        assert_eq!(
            (command.dataset.as_str(), said),
            ("d", named(Profile::Generic))
        );
    }

    #[test]
    fn what_means_nothing_is_refused() {
        for json in [
            r#"{"txn": "t", "match": "names"}"#,
            r#"{"txn": "t", "match": 1}"#,
            r#"{"txn": "t", "profile": "spark4"}"#,
            r#"{"txn": "t", "match": "exact", "profile": "flink2"}"#,
            r#"{"txn": "t", "match": "name", "profile": "spark3"}"#,
            r#"{"txn": "t", "match": "name", "atempt": 1}"#,
            r#"{"match": "name"}"#,
            r#"{"txn": "t", "match": "name", "match": "exact"}"#,
            "[]",
            "",
        ] {
            let error = parse_put::<PutCommand>(json.as_bytes()).unwrap_err();
            assert_eq!(error.code(), "FS0411", "{json}");
        }
    }
}
