//! Grants: verbs on everything below a name.
//!
//! Invariant: a prefix covers whole parts of a name: `web` covers `web` and `web.clicks`, and not `webs`.

use crate::error::{Error, Kind, Result};
use crate::name::DatasetName;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The most grants of one principal.
pub const GRANTS_MAX: usize = 64;

/// What can be done with a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Its rows, and questions and jobs over them.
    Read,
    /// New rows, and rows in place of old ones.
    Write,
    /// A dataset where there is none.
    Create,
    /// Its record (name, schema, handles), its end, and other principals' transactions; the other three too.
    Admin,
}

impl Verb {
    /// Every verb, in the order of the documentation.
    pub const ALL: [Self; 4] = [Self::Read, Self::Write, Self::Create, Self::Admin];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Create => "create",
            Self::Admin => "admin",
        }
    }

    const fn bit(self) -> u8 {
        match self {
            Self::Read => 1,
            Self::Write => 2,
            Self::Create => 4,
            Self::Admin => 8,
        }
    }
}

/// A set of verbs, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Verbs(u8);

impl Verbs {
    /// These verbs; `None` of none.
    pub fn new(verbs: impl IntoIterator<Item = Verb>) -> Option<Self> {
        let bits = verbs.into_iter().fold(0, |bits, verb| bits | verb.bit());
        (bits != 0).then_some(Self(bits))
    }

    /// Whether the set holds the verb itself.
    pub fn has(self, verb: Verb) -> bool {
        self.0 & verb.bit() != 0
    }

    /// Whether the set allows it: `admin` is all four.
    pub fn allows(self, verb: Verb) -> bool {
        self.has(verb) || self.has(Verb::Admin)
    }
}

impl fmt::Display for Verbs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = Verb::ALL
            .into_iter()
            .filter(|verb| self.has(*verb))
            .map(Verb::name)
            .collect();
        f.write_str(&names.join(","))
    }
}

/// Which datasets a grant is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Prefix {
    /// Every one, and the bridge itself: `*`.
    All,
    /// The one of this name and every one below it.
    Below(DatasetName),
}

impl Prefix {
    /// Whether it covers this name.
    pub fn covers(&self, dataset: &DatasetName) -> bool {
        match self {
            Self::All => true,
            Self::Below(prefix) => dataset
                .as_str()
                .strip_prefix(prefix.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.')),
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::Below(name) => name.fmt(f),
        }
    }
}

/// Verbs on the datasets below a prefix, written `web:read,write` or `*:admin`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Grant {
    prefix: Prefix,
    verbs: Verbs,
}

impl Grant {
    /// These verbs below this prefix.
    pub fn new(prefix: Prefix, verbs: Verbs) -> Self {
        Self { prefix, verbs }
    }

    /// Everything.
    pub fn everything() -> Self {
        Self::new(Prefix::All, Verbs(Verb::Admin.bit()))
    }

    /// Which datasets it is about.
    pub fn prefix(&self) -> &Prefix {
        &self.prefix
    }

    /// What it allows there.
    pub fn verbs(&self) -> Verbs {
        self.verbs
    }

    /// Whether it allows this verb on this dataset.
    pub fn allows(&self, verb: Verb, dataset: &DatasetName) -> bool {
        self.verbs.allows(verb) && self.prefix.covers(dataset)
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.prefix, self.verbs)
    }
}

impl FromStr for Grant {
    type Err = Error;

    /// Parses `PREFIX:VERB,VERB`; `FS1101` says what is wrong.
    fn from_str(text: &str) -> Result<Self> {
        let refuse = |why: String| {
            Error::new(
                Kind::Invalid,
                "FS1101",
                format!("\"{}\" is not a grant", text.escape_debug()),
            )
            .with_detail(why)
            .with_hint("write PREFIX:VERBS, such as web:read,write or '*:admin'")
        };
        let (prefix, verbs) = text
            .split_once(':')
            .ok_or_else(|| refuse("there is no ':' in it".into()))?;
        let prefix = match prefix {
            "*" => Prefix::All,
            name => Prefix::Below(DatasetName::new(name).map_err(|cause| {
                refuse(cause.detail().unwrap_or("its prefix is no name").into())
            })?),
        };
        let verb = |name: &str| {
            let found = Verb::ALL.into_iter().find(|verb| verb.name() == name);
            found.ok_or_else(|| {
                refuse(format!(
                    "there is no verb \"{}\": there are read, write, create and admin",
                    name.escape_debug()
                ))
            })
        };
        let verbs = verbs.split(',').map(verb).collect::<Result<Vec<_>>>()?;
        let verbs = Verbs::new(verbs).ok_or_else(|| refuse("it has no verb".into()))?;
        Ok(Self { prefix, verbs })
    }
}

impl TryFrom<String> for Grant {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Grant> for String {
    fn from(grant: Grant) -> Self {
        grant.to_string()
    }
}
