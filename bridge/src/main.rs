//! The binary `flinkspark`: everything is in the library, so that tests can call it.

use std::process::ExitCode;
use tikv_jemallocator::Jemalloc;

/// Memory that is freed is given back, whichever thread frees it: what a server holds then does not
/// grow with what passes through it. Flink ships jemalloc for the same reason.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    flinkspark_bridge::cli::main()
}
