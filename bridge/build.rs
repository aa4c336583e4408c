//! Embeds the pages of `docs/errors/`, so that `flinkspark explain` needs no file beside it.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

#[expect(
    clippy::disallowed_methods,
    reason = "cargo tells a build script its folders this way"
)]
fn main() -> io::Result<()> {
    let variable = |name: &str| env::var(name).map_err(io::Error::other);
    let pages = Path::new(&variable("CARGO_MANIFEST_DIR")?).join("../docs/errors");
    println!("cargo::rerun-if-changed={}", pages.display());
    let mut paths: Vec<_> = fs::read_dir(&pages)?.collect::<Result<Vec<_>, _>>()?;
    paths.sort_by_key(fs::DirEntry::file_name);
    let mut table = String::from("&[\n");
    for entry in paths {
        let path = entry.path();
        if let Some(code) = path.file_stem().and_then(|stem| stem.to_str()) {
            let text = fs::read_to_string(&path)?;
            writeln!(table, "    ({code:?}, {text:?}),").map_err(io::Error::other)?;
        }
    }
    table.push(']');
    fs::write(Path::new(&variable("OUT_DIR")?).join("pages.rs"), table)
}
