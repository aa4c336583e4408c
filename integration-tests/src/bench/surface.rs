//! How the surface answers while two queries that do not end and a stream job keep every core busy.

use super::{percentile, report};
use crate::Step;
use crate::surface::{Figures, measure};
use serde_json::json;
use std::time::Duration;

/// Samples of `/healthz`.
const SAMPLES: usize = 500;

/// Measures, prints and reports.
pub fn run() -> Step {
    let Figures {
        healthz,
        list,
        stop,
        terminate,
        streams,
    } = measure(SAMPLES)?;
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    let stop = stop.into_iter().max().unwrap_or_default();
    let (p50, p99) = (percentile(&healthz, 0.5), percentile(&healthz, 0.99));
    let list_p50 = percentile(&list, 0.5);
    let list_max = percentile(&list, 1.0);
    println!(
        "/healthz      p50 {:7.1} ms, p99 {:7.1} ms (limit 100)",
        ms(p50),
        ms(p99)
    );
    println!(
        "dataset list  p50 {:7.1} ms, max {:7.1} ms (limit 500)",
        ms(list_p50),
        ms(list_max)
    );
    println!("job stop      max {:7.1} ms (limit 2000)", ms(stop));
    println!("SIGTERM           {:7.1} ms (limit 25000)", ms(terminate));
    println!("stream jobs finished meanwhile: {streams}");
    report(
        "surface",
        json!({
            "unit": "ms", "samples": SAMPLES, "healthz_p50": ms(p50), "healthz_p99": ms(p99),
            "dataset_list_max": ms(list_max), "job_stop_max": ms(stop), "sigterm": ms(terminate),
            "streams": streams,
        }),
    )
}
