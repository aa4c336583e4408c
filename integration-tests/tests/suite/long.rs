//! What takes minutes: `cargo xtask test --long`.

use flinkspark_integration_tests::Step;
use flinkspark_integration_tests::server::{Flights, Server};
use serde_json::Value;
use std::time::{Duration, Instant};

/// Rows a second that make the flights last for more than a minute.
const RATE: &str = "5400";

#[test]
#[ignore = "long: a run of a minute"]
fn a_minute_long_run_shows_closed_windows_and_rising_watermarks() -> Step {
    let flights = Flights::start("24h")?;
    let url = flights.server.url();
    let since = Instant::now();
    let running = std::thread::spawn(move || {
        let job = crate::file("jobs/hourly_departures.sql")?;
        let run = ["--url", &url, "job", "run", &job, "--on", "stream"];
        let pace = ["--rate", RATE, "--checkpoint-interval", "100ms"];
        flinkspark_integration_tests::command::run(&[&run[..], &pace].concat())
    });
    let (mut rising, mut growing) = (0, 0);
    let mut last = (i64::MIN, 0);
    while !running.is_finished() {
        std::thread::sleep(Duration::from_secs(2));
        if let Some(now) = watermark_and_rows(&flights.server)? {
            assert!(now.0 >= last.0 && now.1 >= last.1, "{last:?} then {now:?}");
            rising += u32::from(now.0 > last.0);
            growing += u32::from(now.1 > last.1);
            last = now;
        }
    }
    let took = since.elapsed();
    let said = running.join().map_err(|_| "the client ended")??;
    assert_eq!(said.code, Some(0), "{said:?}");
    println!("{took:?}: the watermark rose {rising} times, the rows grew {growing} times");
    assert!(took >= Duration::from_secs(60), "{took:?}");
    assert!(rising >= 10 && growing >= 10, "{rising} and {growing}");
    assert_eq!(last.1, 19_468);
    Ok(())
}

/// The last watermark of the job's output and its rows so far, once it has any.
fn watermark_and_rows(server: &Server) -> Step<Option<(i64, u64)>> {
    let said = server.run(&["dataset", "epochs", "hourly_departures", "-o", "jsonl"])?;
    let mut rows = 0;
    let mut watermark = None;
    for line in said.out.lines() {
        let epoch: Value = serde_json::from_str(line)?;
        rows += epoch["rows"].as_u64().ok_or("an epoch has rows")?;
        watermark = epoch["watermark_ms"].as_i64().or(watermark);
    }
    Ok(watermark.map(|watermark| (watermark, rows)))
}
