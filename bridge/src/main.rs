//! The binary `flinkspark`: everything is in the library, so that tests can call it.

use std::process::ExitCode;

fn main() -> ExitCode {
    flinkspark_bridge::cli::main()
}
