//! Which files a path stands for.
//!
//! Hidden ones are left out, and what their writers leave beside them: names that begin with `.` or `_`, unless a
//! pattern says so. Invariant: the order of the files is that of their paths' bytes, whatever the system's is.

use super::super::error::{cannot_open, nothing_there};
use flinkspark_model::Result;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

/// The deepest folder that is looked into: links may go in circles.
const DEPTH_MAX: usize = 32;

/// Several files.
pub(super) struct Found {
    /// What was asked for.
    pub(super) asked: PathBuf,
    /// The folder below which names of folders may be columns.
    pub(super) root: PathBuf,
    /// At least one.
    pub(super) files: Vec<PathBuf>,
}

/// The files of a folder or a pattern; none where the path is that of one file.
pub(super) fn find(path: &Path) -> Result<Option<Found>> {
    let mut files = Vec::new();
    let root = match fs::metadata(path) {
        Ok(what) if what.is_dir() => {
            walk(path, 0, &mut files)?;
            path.to_owned()
        }
        // What exists is meant, whatever its name looks like.
        Ok(_) => return Ok(None),
        Err(_) => match path.to_str().filter(|text| is_pattern(text)) {
            None => return Ok(None),
            Some(pattern) => {
                expand(pattern, &mut files)?;
                literal(path)
            }
        },
    };
    files.sort();
    match files.is_empty() {
        true => Err(nothing_there(path)),
        false => Ok(Some(Found {
            asked: path.to_owned(),
            root,
            files,
        })),
    }
}

fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// The folders before the first one that is a pattern.
fn literal(pattern: &Path) -> PathBuf {
    let is_literal = |part: &Component<'_>| {
        let text = part.as_os_str().to_str();
        text.is_none_or(|text| !is_pattern(text))
    };
    pattern.components().take_while(is_literal).collect()
}

/// What a pattern matches; folders stand for what is in them.
fn expand(pattern: &str, files: &mut Vec<PathBuf>) -> Result<()> {
    let options = glob::MatchOptions {
        case_sensitive: true,
        require_literal_separator: true,
        require_literal_leading_dot: true,
    };
    let failed = |cause: io::Error| cannot_open(pattern, cause);
    let invalid = |cause: glob::PatternError| {
        failed(io::Error::new(io::ErrorKind::NotFound, cause.to_string()))
    };
    let asks_for_hidden = Path::new(pattern)
        .file_name()
        .is_some_and(|name| is_hidden(&name.to_string_lossy()));
    for path in glob::glob_with(pattern, options).map_err(invalid)? {
        let path = path.map_err(|cause| failed(cause.into()))?;
        let hidden = path
            .file_name()
            .is_some_and(|name| is_hidden(&name.to_string_lossy()));
        if hidden && !asks_for_hidden {
            continue;
        }
        let name = path.display().to_string();
        let what = fs::metadata(&path).map_err(|cause| cannot_open(&name, cause))?;
        match what.is_dir() {
            true => walk(&path, 0, files)?,
            false => files.push(path),
        }
    }
    Ok(())
}

/// Everything below a folder.
fn walk(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<()> {
    let name = folder.display().to_string();
    let failed = |cause: io::Error| cannot_open(&name, cause);
    if depth > DEPTH_MAX {
        let why = format!("folders are more than {DEPTH_MAX} deep; does a link go in a circle?");
        return Err(failed(io::Error::new(io::ErrorKind::NotFound, why)));
    }
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if is_hidden(&entry.file_name().to_string_lossy()) {
            continue;
        }
        let path = entry.path();
        // Of what a link points to, not of the link.
        match fs::metadata(&path).map_err(failed)?.is_dir() {
            true => walk(&path, depth + 1, files)?,
            false => files.push(path),
        }
    }
    Ok(())
}

/// A folder may be called `_name=value`, and is data.
fn is_hidden(name: &str) -> bool {
    name.starts_with('.') || (name.starts_with('_') && !name.contains('='))
}
