//! Which category a test belongs to: read from its path, never declared.

use std::fmt;

/// The categories that are counted apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Category {
    /// Facts about one piece.
    Unit,
    /// Generated data.
    Property,
    /// Every state of a small world.
    Enumeration,
    /// One contract, every implementation.
    Conformance,
    /// Child processes that are killed.
    Crash,
    /// The binary from outside.
    System,
}

impl Category {
    /// Every category, in the order in which they are counted.
    pub(super) const ALL: [Self; 6] = [
        Self::Unit,
        Self::Property,
        Self::Enumeration,
        Self::Conformance,
        Self::Crash,
        Self::System,
    ];

    /// The name, which is also the module segment that decides.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Unit => "unit",
            Self::Property => "property",
            Self::Enumeration => "enumeration",
            Self::Conformance => "conformance",
            Self::Crash => "crash",
            Self::System => "system",
        }
    }

    /// The category of the test `path`: that of the first segment that names one, or `otherwise`.
    pub(super) fn of(path: &str, otherwise: Self) -> Self {
        let named = |segment: &str| {
            Self::ALL
                .into_iter()
                .find(|category| category.name() == segment)
        };
        // The last segment is the test's own name.
        let (modules, _) = path.rsplit_once("::").unwrap_or(("", path));
        modules.split("::").find_map(named).unwrap_or(otherwise)
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_segment_decides() {
        assert_eq!(
            Category::of("log::property::tests::slots_are_dense", Category::Unit),
            Category::Property
        );
        assert_eq!(
            Category::of("crash::a_kill_loses_nothing", Category::System),
            Category::Crash
        );
    }

    #[test]
    fn a_name_that_only_contains_the_word_does_not() {
        assert_eq!(
            Category::of("log::tests::crash", Category::Unit),
            Category::Unit
        );
        assert_eq!(
            Category::of("crashes::tests::a", Category::Unit),
            Category::Unit
        );
        assert_eq!(Category::of("alone", Category::System), Category::System);
    }
}
