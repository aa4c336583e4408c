//! Moves what is damaged out of the way and keeps it as evidence.
//!
//! Invariant: nothing that was set aside earlier is overwritten, up to [`KEPT_MAX`] of each.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The most damaged copies of one thing that are kept; the last one is replaced after that.
const KEPT_MAX: u32 = 8;

/// Renames `dir/base` to the first free `dir/base.bad-<n>` and says which.
pub(crate) fn set_aside(dir: &Path, base: &str) -> io::Result<PathBuf> {
    let name = |n: u32| dir.join(format!("{base}.bad-{n}"));
    let target = (1..KEPT_MAX)
        .map(name)
        .find(|path| !path.exists())
        .unwrap_or_else(|| name(KEPT_MAX));
    if target.is_dir() {
        fs::remove_dir_all(&target)?;
    }
    fs::rename(dir.join(base), &target)?;
    Ok(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earlier_evidence_is_kept_up_to_the_limit() {
        let dir = tempfile::tempdir().unwrap();
        for round in 1..=KEPT_MAX + 2 {
            fs::create_dir(dir.path().join("index")).unwrap();
            fs::write(dir.path().join("index/db"), round.to_string()).unwrap();
            let target = set_aside(dir.path(), "index").unwrap();
            assert!(target.ends_with(format!("index.bad-{}", round.min(KEPT_MAX))));
        }
        assert_eq!(
            fs::read_to_string(dir.path().join("index.bad-1/db")).unwrap(),
            "1"
        );
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), KEPT_MAX as usize);
    }
}
