//! The binary `flinkspark`.
fn main() {}
