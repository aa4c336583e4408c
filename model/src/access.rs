//! Who calls, and what they may do.
//!
//! Owns the vocabulary (principals, verbs, grants) and the one decision over it; how a caller proves who it is
//! is decided elsewhere. Never reads a token, a clock or a catalogue. Invariant: a [`Caller`] may do exactly what
//! one of its grants says, and everything only while the bridge is open; no call makes a caller's rights grow.

mod grant;
mod refusal;

pub use grant::{GRANTS_MAX, Grant, Prefix, Verb, Verbs};
pub use refusal::{denied, unknown_caller};

use crate::error::{Error, Kind, Result};
use crate::name::DatasetName;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The longest name of a principal, in bytes.
pub const PRINCIPAL_BYTES_MAX: usize = 64;

/// Who acts: `[A-Za-z0-9_.@-]+`, at most 64 bytes, case-sensitive.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct Principal(Arc<str>);

impl Principal {
    /// Parses a name; `FS1101` says what is wrong with it.
    pub fn new(name: &str) -> Result<Self> {
        let good = |c: char| c.is_ascii_alphanumeric() || "_.@-".contains(c);
        if name.is_empty() || name.len() > PRINCIPAL_BYTES_MAX || !name.chars().all(good) {
            return Err(Error::new(
                Kind::Invalid,
                "FS1101",
                format!("\"{}\" is not the name of a principal", name.escape_debug()),
            )
            .with_detail(format!(
                "a name has 1 to {PRINCIPAL_BYTES_MAX} letters, digits, '_', '-', '.' and '@'"
            ))
            .with_hint("name whoever holds the token, such as nightly-load or ann@example.org"));
        }
        Ok(Self(name.into()))
    }

    /// Everybody, while the bridge is open.
    pub fn anonymous() -> Self {
        Self("anonymous".into())
    }

    /// The holder of the data directory's own token.
    pub fn admin() -> Self {
        Self("admin".into())
    }

    /// Whether the name is one of the bridge's own, which no token can be made for.
    pub fn is_reserved(&self) -> bool {
        *self == Self::anonymous() || *self == Self::admin()
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Principal {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::new(name)
    }
}

impl TryFrom<String> for Principal {
    type Error = Error;

    fn try_from(name: String) -> Result<Self> {
        Self::new(&name)
    }
}

impl From<Principal> for String {
    fn from(principal: Principal) -> Self {
        principal.0.as_ref().into()
    }
}

/// What holds for a caller.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Rules {
    /// No token exists: everything is allowed.
    Open,
    /// What these say is allowed, and nothing else.
    Granted(Arc<[Grant]>),
    /// Nobody said who calls.
    Unknown,
}

/// Who makes a call, and what holds for them. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    principal: Principal,
    rules: Rules,
}

impl Caller {
    /// Somebody, while no token exists.
    pub fn open() -> Self {
        Self {
            principal: Principal::anonymous(),
            rules: Rules::Open,
        }
    }

    /// A principal with these grants.
    pub fn granted(principal: Principal, grants: impl Into<Arc<[Grant]>>) -> Self {
        Self {
            principal,
            rules: Rules::Granted(grants.into()),
        }
    }

    /// A call of which nobody said who makes it: it may do nothing.
    pub fn unknown() -> Self {
        Self {
            principal: Principal::anonymous(),
            rules: Rules::Unknown,
        }
    }

    /// Who it is.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Whether everything is allowed because no token exists.
    pub fn is_open(&self) -> bool {
        self.rules == Rules::Open
    }

    /// Allows `verb` on a dataset, there or not.
    ///
    /// Errors: `Unauthorized` (`FS1102`) where nobody said who calls, `Forbidden` (`FS1103`) where no grant
    /// covers it. They are the same whether or not the dataset exists.
    pub fn may(&self, verb: Verb, dataset: &DatasetName) -> Result<()> {
        self.decide(
            |grant| grant.allows(verb, dataset),
            || denied(&self.principal, verb, dataset),
        )
    }

    /// Allows what any verb on a dataset lets a caller know: its record, not its rows.
    ///
    /// Errors: those of [`Caller::may`].
    pub fn sees(&self, dataset: &DatasetName) -> Result<()> {
        let any = |grant: &Grant| Verb::ALL.iter().any(|verb| grant.allows(*verb, dataset));
        self.decide(any, || denied(&self.principal, Verb::Read, dataset))
    }

    /// Allows what concerns the whole bridge: tokens, metrics, settings, every job.
    ///
    /// Errors: those of [`Caller::may`].
    pub fn administers(&self) -> Result<()> {
        let whole =
            |grant: &Grant| *grant.prefix() == Prefix::All && grant.verbs().has(Verb::Admin);
        self.decide(whole, || refusal::no_admin(&self.principal))
    }

    fn decide(&self, covers: impl Fn(&Grant) -> bool, refuse: impl Fn() -> Error) -> Result<()> {
        match &self.rules {
            Rules::Open => Ok(()),
            Rules::Granted(grants) if grants.iter().any(covers) => Ok(()),
            Rules::Granted(_) => Err(refuse()),
            Rules::Unknown => Err(unknown_caller("nothing says who calls")),
        }
    }
}

#[cfg(test)]
mod tests;
