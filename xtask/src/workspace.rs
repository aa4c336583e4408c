//! What `cargo metadata` says of this workspace.
//!
//! Read once, before any task. Invariant: paths are absolute.

use crate::process::{self, Failure};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The workspace as far as the tasks need it.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// The checkout.
    pub(crate) root: PathBuf,
    /// Cargo's target folder.
    pub(crate) target: PathBuf,
    /// The workspace's own packages.
    pub(crate) members: Vec<Package>,
}

/// One package of the workspace.
#[derive(Debug)]
pub(crate) struct Package {
    /// Its name.
    pub(crate) name: String,
    /// Cargo's id of it.
    pub(crate) id: String,
    /// The folder of its manifest.
    pub(crate) folder: PathBuf,
    /// The names of the packages that it depends on directly, but for other people's libraries
    /// that only its tests use.
    pub(crate) dependencies: Vec<String>,
    /// The names of its binaries.
    pub(crate) binaries: Vec<String>,
}

impl Workspace {
    /// Asks cargo.
    pub(crate) fn load() -> Result<Self, Failure> {
        let mut command = process::cargo(&["metadata", "--format-version", "1", "--no-deps"]);
        let text = process::stdout(&mut command)?;
        let value: Value =
            serde_json::from_str(&text).map_err(Failure::while_doing("cargo metadata"))?;
        Self::parse(&value)
            .ok_or_else(|| Failure::new("cargo metadata has another shape than expected"))
    }

    fn parse(value: &Value) -> Option<Self> {
        let members = value["packages"].as_array()?;
        Some(Self {
            root: value["workspace_root"].as_str()?.into(),
            target: value["target_directory"].as_str()?.into(),
            members: members.iter().map(Package::parse).collect::<Option<_>>()?,
        })
    }

    /// The member with this name.
    pub(crate) fn member(&self, name: &str) -> Result<&Package, Failure> {
        let found = self.members.iter().find(|package| package.name == name);
        found.ok_or_else(|| Failure::new(format!("the workspace has no package {name}")))
    }

    /// A folder for installed tools, beside the target folder unless that lies in the checkout.
    pub(crate) fn tools(&self) -> PathBuf {
        match self.target.parent() {
            Some(parent) if !self.target.starts_with(&self.root) => parent.join("tools"),
            _ => self.target.join("tools"),
        }
    }
}

impl Package {
    fn parse(value: &Value) -> Option<Self> {
        let manifest = Path::new(value["manifest_path"].as_str()?);
        let dependencies = value["dependencies"].as_array()?.iter();
        let binaries = value["targets"]
            .as_array()?
            .iter()
            .filter(|target| has_kind(target, "bin"));
        Some(Self {
            name: value["name"].as_str()?.into(),
            id: value["id"].as_str()?.into(),
            folder: manifest.parent()?.into(),
            dependencies: dependencies
                .filter(|used| used["kind"] != "dev" || used["path"].is_string())
                .filter_map(|used| used["name"].as_str().map(String::from))
                .collect(),
            binaries: binaries
                .filter_map(|target| target["name"].as_str().map(String::from))
                .collect(),
        })
    }
}

fn has_kind(target: &Value, kind: &str) -> bool {
    target["kind"]
        .as_array()
        .is_some_and(|kinds| kinds.iter().any(|known| known == kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(target: &str) -> Workspace {
        let value = serde_json::json!({
            "workspace_root": "/w", "target_directory": target,
            "packages": [{
                "name": "a", "id": "path+file:///w/a#0.1.0", "manifest_path": "/w/a/Cargo.toml",
                "targets": [{"name": "tool", "kind": ["bin"]}, {"name": "a", "kind": ["lib"]}],
                "dependencies": [{"name": "tonic", "kind": null}, {"name": "proptest", "kind": "dev"},
                    {"name": "b", "kind": "dev", "path": "/w/b"}],
            }],
        });
        Workspace::parse(&value).unwrap()
    }

    #[test]
    fn members_carry_their_dependencies_and_binaries() {
        let workspace = sample("/t");
        let package = workspace.member("a").unwrap();
        assert_eq!(package.folder, Path::new("/w/a"));
        assert_eq!(package.binaries, ["tool"]);
        assert_eq!(package.dependencies, ["tonic", "b"]);
        assert!(workspace.member("b").is_err());
    }

    #[test]
    fn tools_never_lie_loose_in_the_checkout() {
        assert_eq!(sample("/cache/target").tools(), Path::new("/cache/tools"));
        assert_eq!(sample("/w/target").tools(), Path::new("/w/target/tools"));
    }
}
