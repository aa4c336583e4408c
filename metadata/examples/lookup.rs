//! Measures the catalogue in process: `cargo run --release -p flinkspark-metadata --example lookup -- DIR [DATASETS]`.
//!
//! Registers datasets (100,000 unless told otherwise) in an empty folder, looks them up by name and
//! by handle in random order, opens it again and derives its index again. Prints one figure a line.

use arrow_schema::{DataType, Field, Schema, TimeUnit};
use flinkspark_metadata::{Catalogue, Options};
use flinkspark_model::handle::Handle;
use flinkspark_model::port::{Catalog, Clock, Entropy, Reference, Registration};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

const LOOKUPS: u64 = 100_000;
/// Registrations that wait at the same time.
const CONCURRENCY: usize = 512;

struct Fixed;

impl Clock for Fixed {
    fn now_ms(&self) -> u64 {
        1_700_000_000_000
    }
}

/// Numbers that look random and are the same in each run.
struct Mixed(AtomicU64);

impl Mixed {
    fn next(&self) -> u64 {
        let step = self
            .0
            .fetch_add(1, Ordering::Relaxed)
            .wrapping_add(1)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (step ^ (step >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        mixed ^ (mixed >> 32)
    }
}

impl Entropy for Mixed {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
    }
}

type Failure = Box<dyn std::error::Error>;

fn registration(n: u64) -> Result<Registration, Failure> {
    let fields =
        (0..18).map(|column| Field::new(format!("column_{column}"), DataType::Int64, true));
    let time = Field::new(
        "event_time",
        DataType::Timestamp(TimeUnit::Millisecond, None),
        true,
    );
    Ok(Registration {
        name: format!("bench.dataset_{n}").parse()?,
        schema: Arc::new(Schema::new(fields.chain([time]).collect::<Vec<_>>())),
        traits: Default::default(),
        handles: vec![
            Handle::flink_table(&format!("default_catalog.bench.dataset_{n}"))?,
            Handle::spark_table(&format!("spark_catalog.bench.dataset_{n}"))?,
        ],
    })
}

fn open(dir: &Path) -> Result<Catalogue, Failure> {
    Ok(Catalogue::open(
        &Options::new(dir),
        Arc::new(Fixed),
        Arc::new(Mixed(AtomicU64::new(0))),
    )?)
}

async fn fill(catalogue: Arc<Catalogue>, datasets: u64) -> Result<(), Failure> {
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..datasets {
        if tasks.len() == CONCURRENCY
            && let Some(done) = tasks.join_next().await
        {
            done??;
        }
        let (catalogue, registration) = (Arc::clone(&catalogue), registration(n)?);
        tasks.spawn(async move { catalogue.register(registration).await.map(drop) });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(())
}

async fn look_up(
    catalogue: &Catalogue,
    datasets: u64,
    form: fn(u64) -> String,
) -> Result<String, Failure> {
    let random = Mixed(AtomicU64::new(77));
    let mut nanos = Vec::with_capacity(LOOKUPS as usize);
    for _ in 0..LOOKUPS {
        let reference: Reference = form(random.next() % datasets).parse()?;
        let start = Instant::now();
        catalogue.lookup(&reference).await?;
        nanos.push(start.elapsed().as_nanos() as u64);
    }
    nanos.sort_unstable();
    let mean = nanos.iter().sum::<u64>() as f64 / nanos.len() as f64;
    let at = |share: f64| nanos[(nanos.len() as f64 * share) as usize] as f64 / 1000.0;
    Ok(format!(
        "mean {:.1} us, median {:.1} us, p99 {:.1} us",
        mean / 1000.0,
        at(0.5),
        at(0.99)
    ))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let dir = arguments.next().ok_or("name an empty folder")?;
    let datasets = arguments.next().map_or(Ok(100_000), |text| text.parse())?;
    let dir = Path::new(&dir);

    let start = Instant::now();
    let catalogue = Arc::new(open(dir)?);
    fill(Arc::clone(&catalogue), datasets).await?;
    println!(
        "register: {:.0} datasets/s",
        datasets as f64 / start.elapsed().as_secs_f64()
    );
    println!(
        "by name: {}",
        look_up(&catalogue, datasets, |n| format!("bench.dataset_{n}")).await?
    );
    println!(
        "by handle: {}",
        look_up(&catalogue, datasets, |n| format!(
            "spark:spark_catalog.bench.dataset_{n}"
        ))
        .await?
    );
    drop(catalogue);

    let start = Instant::now();
    drop(open(dir)?);
    println!("open: {:.2} s", start.elapsed().as_secs_f64());
    std::fs::remove_dir_all(dir.join("index"))?;
    let start = Instant::now();
    let catalogue = open(dir)?;
    println!(
        "open without an index: {:.2} s",
        start.elapsed().as_secs_f64()
    );
    println!(
        "by name: {}",
        look_up(&catalogue, datasets, |n| format!("bench.dataset_{n}")).await?
    );
    Ok(())
}
