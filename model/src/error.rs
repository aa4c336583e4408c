//! The one error type that crosses crates.
//!
//! Inside a crate errors are precise private enums; at its border they become an [`Error`]: a kind
//! named by what the caller does next, a stable code with a page in `docs/errors/`, and a text in
//! three parts. Invariant: the message alone says what failed, `detail` says where and why, `hint`
//! names the next command to try.

use std::error::Error as StdError;
use std::fmt;

/// The result of everything public in this workspace.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the caller does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Correct the request.
    Invalid,
    /// Name what is there, or make it first.
    NotFound,
    /// Retry later, unchanged.
    Unavailable,
    /// Re-read the state and decide again.
    Conflict,
    /// Stop: a newer owner exists.
    Fenced,
    /// Read back before anything else: the outcome is not known.
    InDoubt,
    /// Do not trust the data and do not retry.
    Data,
    /// Obtain credentials.
    Unauthorized,
    /// Ask whoever grants: these credentials are known, and do not allow it.
    Forbidden,
    /// A bug in FlinkSpark.
    Internal,
}

impl Kind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 10] = [
        Self::Invalid,
        Self::NotFound,
        Self::Unavailable,
        Self::Conflict,
        Self::Fenced,
        Self::InDoubt,
        Self::Data,
        Self::Unauthorized,
        Self::Forbidden,
        Self::Internal,
    ];

    /// The kind's name on the wire and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::NotFound => "not_found",
            Self::Unavailable => "unavailable",
            Self::Conflict => "conflict",
            Self::Fenced => "fenced",
            Self::InDoubt => "in_doubt",
            Self::Data => "data",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::Internal => "internal",
        }
    }

    /// The kind with this wire name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// An error with a code, a kind and a text in three parts.
///
/// The size of one pointer, so that `Result<T>` stays small on hot paths.
#[derive(Clone)]
pub struct Error(Box<Parts>);

#[derive(Clone)]
struct Parts {
    kind: Kind,
    code: std::borrow::Cow<'static, str>,
    message: String,
    detail: Option<String>,
    hint: Option<String>,
    source: Option<std::sync::Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of `kind` with the code `FSnnnn` and a message without a trailing period.
    pub fn new(kind: Kind, code: &'static str, message: impl Into<String>) -> Self {
        Self::from_wire(kind, code, message)
    }

    /// The same for a code that arrived in a message from another process.
    pub fn from_wire(
        kind: Kind,
        code: impl Into<std::borrow::Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        Self(Box::new(Parts {
            kind,
            code: code.into(),
            message: message.into(),
            detail: None,
            hint: None,
            source: None,
        }))
    }

    /// Says where and why.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Names the next thing to try.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Keeps the cause; where no detail was given the cause's text becomes the detail.
    #[must_use]
    pub fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        if self.0.detail.is_none() {
            self.0.detail = Some(source.to_string());
        }
        self.0.source = Some(std::sync::Arc::new(source));
        self
    }

    /// What the caller does next.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The stable code, `FSnnnn`.
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// What failed, in one line.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Where and why.
    pub fn detail(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// The next thing to try.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error[{}]: {}", self.code(), self.message())?;
        if let Some(detail) = self.detail() {
            write!(f, "\n  detail: {detail}")?;
        }
        if let Some(hint) = self.hint() {
            write!(f, "\n  hint:   {hint}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {self}", self.kind().name())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_ref().map(|source| source.as_ref() as _)
    }
}

impl PartialEq for Error {
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (&self.0, &other.0);
        (a.kind, &a.code, &a.message, &a.detail, &a.hint)
            == (b.kind, &b.code, &b.message, &b.detail, &b.hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_three_parts() {
        let error = Error::new(
            Kind::Invalid,
            "FS0142",
            "column \"tags\" has no Spark equivalent",
        )
        .with_detail("its Flink type is MULTISET<STRING>")
        .with_hint("convert it to MAP<STRING, INT> before the sink");
        assert_eq!(
            error.to_string(),
            "error[FS0142]: column \"tags\" has no Spark equivalent\n  \
             detail: its Flink type is MULTISET<STRING>\n  \
             hint:   convert it to MAP<STRING, INT> before the sink"
        );
    }

    #[test]
    fn every_kind_survives_its_name() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_name(kind.name()), Some(kind));
        }
    }
}
