//! The functions that a statement may call, for people who look for one.
//!
//! Invariant: whatever is listed is known to the binder, at least with some arguments.

mod signatures;

use super::{call, over};
use crate::semantics::aggregate::Aggregate;
use crate::semantics::function;
pub use signatures::signatures;

/// Functions of one kind.
#[derive(Debug)]
pub struct Group {
    /// What they are about.
    pub title: &'static str,
    /// Their names, in upper case.
    pub names: Vec<&'static str>,
}

/// Every function by kind.
pub fn functions() -> Vec<Group> {
    let group = |title, names: &[&'static str]| Group {
        title,
        names: names.to_vec(),
    };
    let named = function::named().map(|(title, functions)| Group {
        title,
        names: functions.iter().map(|function| function.name).collect(),
    });
    let others = [
        group("conditions", &call::CONDITIONAL),
        group("units of time", &call::WITH_UNITS),
        group("aggregates", &Aggregate::names()),
        group("OVER alone", &over::ALONE),
    ];
    named.into_iter().chain(others).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::front::flink::{NoTables, bind, parse};

    #[test]
    fn whatever_is_listed_is_known() {
        for group in functions() {
            for name in group.names {
                let over = if group.title == "OVER alone" {
                    " OVER ()"
                } else {
                    ""
                };
                let refused = parse(&format!("SELECT {name}(){over} AS q"))
                    .and_then(|statement| bind(&statement, &NoTables));
                let said =
                    refused.map_or_else(|error| error.message().to_owned(), |_| String::new());
                assert!(!said.contains("the function"), "{name}: {said}");
            }
        }
    }
}
