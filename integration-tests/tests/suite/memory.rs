//! What a server holds does not grow with what passes through it.

use flinkspark_integration_tests::Step;
use flinkspark_integration_tests::flights::{write, years_of_flights};
use flinkspark_integration_tests::server::Server;
use std::time::Duration;

/// The peak of a server that does nothing but run the job over this many years of flights.
fn peak_of_a_run(years: u64) -> Step<u64> {
    let dir = tempfile::tempdir()?;
    let data = dir.path().join("data");
    let file = dir.path().join("flights.arrow");
    write(&file, &years_of_flights(years)?)?;
    let file = file.to_str().ok_or("the path is text")?;
    let server = Server::start(&data)?;
    let register = ["dataset", "register", "flights", "--like", file];
    let time = ["--time-attribute", "event_time", "--watermark-delay", "24h"];
    server.must(&[&register[..], &time].concat())?;
    server.must(&["transfer", file, "dataset://flights"])?;
    server.terminate(Duration::from_secs(30))?;

    let server = Server::start(&data)?;
    let job = crate::file("jobs/hourly_departures.sql")?;
    let run = ["job", "run", &job, "--on", "stream", "-o", "json"];
    let said = server.must(&run)?.json()?;
    assert_eq!(said["rows_in"], 336_776 * years);
    assert_eq!(said["rows_late"], 0);
    server.memory_kib("VmHWM:")
}

/// The median of three: a peak depends on who else uses the cores.
fn peak(years: u64) -> Step<u64> {
    let mut peaks = [
        peak_of_a_run(years)?,
        peak_of_a_run(years)?,
        peak_of_a_run(years)?,
    ];
    peaks.sort_unstable();
    Ok(peaks[1])
}

#[test]
fn ten_times_the_flights_need_no_more_memory_than_once() -> Step {
    let (once, ten) = (peak(1)?, peak(10)?);
    println!("VmHWM: {once} KiB over the flights, {ten} KiB over ten times as many");
    assert!(ten <= once + once / 5, "{ten} KiB after {once} KiB");
    Ok(())
}
