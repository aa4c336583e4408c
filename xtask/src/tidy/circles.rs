//! No two rooms lean on each other: modules of one parent form no circle of uses.
//!
//! A room is a module with everything below it. What a room uses is what `paths` reads in its files; a name that a
//! parent hands on (`pub use child::Item`) is the child's. Two rooms that use each other, or more of them in a ring,
//! can only be read together: what they share belongs below both, in a room of its own.
//!
//! A parent and its children make no circle. A parent declares its children, joins them and hands on their names; what
//! it holds itself is the room's common ground, and its children may stand on it.
//!
//! What `paths` cannot see is a method that one room gives to another's type and a third one calls: where a grammar is
//! recursive, so are its rooms. Invariant: no circle is excused.

use super::Finding;
use super::paths::{self, Named, Path};
use super::sources::Source;
use std::collections::{BTreeMap, BTreeSet};

/// Every circle of rooms below one parent.
pub(super) fn check(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (parent, uses) in Crates::read(sources).uses() {
        for circle in circles(&uses) {
            findings.push(Finding::new(parent.join("::"), describe(&circle, &uses)));
        }
    }
    findings
}

/// What each room of one parent uses of the others, and where: a file and a line for each name.
type Uses = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

struct Crates {
    modules: BTreeMap<Path, (String, Named)>,
}

impl Crates {
    fn read(sources: &[Source]) -> Self {
        let production = sources
            .iter()
            .filter(|source| !source.production.is_empty());
        let modules = production.filter_map(|source| {
            let module = module_of(&source.path)?;
            let named = paths::read(&module, &source.production);
            Some((module, (source.path.clone(), named)))
        });
        Self {
            modules: modules.collect(),
        }
    }

    fn uses(&self) -> BTreeMap<Path, Uses> {
        let mut uses: BTreeMap<Path, Uses> = BTreeMap::new();
        for (module, (file, named)) in &self.modules {
            for (path, line) in &named.paths {
                let target = self.module_that_holds(path, 8);
                let common = module
                    .iter()
                    .zip(&target)
                    .take_while(|(a, b)| a == b)
                    .count();
                if let (true, Some(from), Some(to)) =
                    (common > 0, module.get(common), target.get(common))
                {
                    let item = path.last().map_or("", String::as_str);
                    let place = format!("{file}:{line} {item}");
                    let rooms = uses.entry(module[..common].to_vec()).or_default();
                    let places = rooms
                        .entry(from.clone())
                        .or_default()
                        .entry(to.clone())
                        .or_default();
                    places.insert(place);
                }
            }
        }
        uses
    }

    /// The module that a path ends in, through the names that modules on its way hand on.
    fn module_that_holds(&self, path: &[String], steps_left: usize) -> Path {
        let mut length = 1;
        while length < path.len() && self.modules.contains_key(&path[..=length]) {
            length += 1;
        }
        let module = &path[..length];
        let import = path
            .get(length)
            .and_then(|name| self.modules.get(module)?.1.imports.get(name));
        match import {
            Some(target) if steps_left > 0 && target != path => {
                let whole: Path = target.iter().chain(&path[length + 1..]).cloned().collect();
                match self.modules.contains_key(&whole[..1]) {
                    true => self.module_that_holds(&whole, steps_left - 1),
                    false => module.to_vec(),
                }
            }
            _ => module.to_vec(),
        }
    }
}

/// The module of a file below `src`, from its crate's folder on.
fn module_of(file: &str) -> Option<Path> {
    let (folder, file) = file.split_once("/src/")?;
    let mut module = vec![folder.to_owned()];
    module.extend(file.strip_suffix(".rs")?.split('/').map(str::to_owned));
    let last = module.last()?;
    if last == "mod" || (module.len() == 2 && ["lib", "main"].contains(&last.as_str())) {
        module.pop();
    }
    Some(module)
}

/// The sets of rooms in which each reaches each other.
fn circles(uses: &Uses) -> Vec<Vec<String>> {
    let reached: BTreeMap<_, _> = uses.keys().map(|room| (room, reach(room, uses))).collect();
    let mut circles = BTreeSet::new();
    for (room, reach) in &reached {
        let back = |other: &&&String| {
            reached
                .get(**other)
                .is_some_and(|theirs| theirs.contains(room))
        };
        let circle: Vec<_> = reach
            .iter()
            .filter(back)
            .map(|&room| room.clone())
            .collect();
        if circle.len() > 1 {
            circles.insert(circle);
        }
    }
    circles.into_iter().collect()
}

/// Every room that is used, directly or by one that is used.
fn reach<'a>(room: &str, uses: &'a Uses) -> BTreeSet<&'a String> {
    let mut reached = BTreeSet::new();
    let mut waiting: Vec<_> = uses
        .get(room)
        .into_iter()
        .flat_map(BTreeMap::keys)
        .collect();
    while let Some(next) = waiting.pop() {
        if reached.insert(next) {
            waiting.extend(uses.get(next).into_iter().flat_map(BTreeMap::keys));
        }
    }
    reached
}

fn describe(circle: &[String], uses: &Uses) -> String {
    let mut what = format!("its rooms form a circle: {}", circle.join(", "));
    for (from, to) in circle
        .iter()
        .flat_map(|from| circle.iter().map(move |to| (from, to)))
    {
        let Some(places) = uses.get(from).and_then(|used| used.get(to)) else {
            continue;
        };
        let first = places.first().map_or("", String::as_str);
        what += &format!("\n  {from} uses {to} at {first}");
        if places.len() > 1 {
            what += &format!(" and {} more", places.len() - 1);
        }
    }
    what
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(files: &[(&str, &str)]) -> Vec<String> {
        let sources: Vec<_> = files
            .iter()
            .map(|(path, text)| Source::new(path, text))
            .collect();
        check(&sources).iter().map(Finding::to_string).collect()
    }

    const CIRCLE: &[(&str, &str)] = &[
        ("a/src/lib.rs", "mod b;\nmod c;\npub use b::B;\n"),
        ("a/src/b.rs", "mod inner;\n"),
        ("a/src/b/inner.rs", "use crate::c::C;\n"),
        ("a/src/c.rs", "pub struct C(crate::B);\n"),
    ];

    #[test]
    fn a_circle_is_found_through_children_and_names_handed_on() {
        assert_eq!(
            findings(CIRCLE),
            [
                "a: its rooms form a circle: b, c\n  b uses c at a/src/b/inner.rs:1 C\n  c uses b at a/src/c.rs:1 B"
            ]
        );
    }

    #[test]
    fn a_parent_may_use_its_children_and_they_its_own_items() {
        let files = [
            ("a/src/lib.rs", "mod b;\nuse b::B;\npub struct A(B);\n"),
            ("a/src/b.rs", "use crate::A;\npub struct B;\n"),
        ];
        assert!(findings(&files).is_empty());
    }

    #[test]
    fn what_tests_use_makes_no_circle() {
        let files = [
            ("a/src/b.rs", "use crate::c::C;\n"),
            (
                "a/src/c.rs",
                "//! C.\n#[cfg(test)]\nmod tests {\n    use crate::b;\n}\n",
            ),
        ];
        assert!(findings(&files).is_empty());
    }

    #[test]
    fn a_ring_of_three_is_one_circle() {
        let files = [
            ("a/src/b.rs", "use crate::c::C;\n"),
            ("a/src/c.rs", "use crate::d::D;\n"),
            ("a/src/d.rs", "use super::b::{B, b};\n"),
        ];
        let found = findings(&files);
        assert!(
            found[0].starts_with("a: its rooms form a circle: b, c, d"),
            "{found:?}"
        );
        assert!(
            found[0].ends_with("d uses b at a/src/d.rs:1 B and 1 more"),
            "{found:?}"
        );
    }
}
