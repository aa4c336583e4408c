//! How long a server takes to be ready, and what it holds at rest.
//!
//! The build from an empty target folder is timed by hand: one sample takes minutes.

use super::{SAMPLES, Samples, report};
use crate::Step;
use crate::server::Server;
use serde_json::json;
use std::time::Instant;

/// Measures an empty data directory.
pub fn run() -> Step {
    let mut seconds = Vec::new();
    let mut resident_kib = 0;
    for _ in 0..SAMPLES {
        let dir = tempfile::tempdir()?;
        let since = Instant::now();
        let server = Server::start(dir.path())?;
        seconds.push(since.elapsed().as_secs_f64());
        std::thread::sleep(std::time::Duration::from_millis(500));
        resident_kib = resident_kib.max(server.memory_kib("VmRSS:")?);
    }
    let ready = Samples::of(seconds);
    println!(
        "ready in {:.3} s (limit 0.3), {} MiB at rest (limit 80)",
        ready.median(),
        resident_kib / 1024
    );
    report(
        "cold",
        json!({"ours": ready.median(), "unit": "s", "resident_kib": resident_kib, "samples": SAMPLES}),
    )
}
