//! The flights over as many years as a test needs.

use crate::Step;
use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use flinkspark_bridge::parts::connector::format;
use std::path::Path;
use std::sync::Arc;

/// What separates one repetition of the flights from the next, in microseconds.
const YEAR_US: i64 = 365 * 86_400 * 1_000_000;

/// The flights of 2013, and again as often as that gives this many years.
pub fn years_of_flights(years: u64) -> Step<Vec<RecordBatch>> {
    let reader = format::open(
        crate::path("data/flights.parquet"),
        &format::ReadOptions::default(),
    )?;
    let year: Vec<RecordBatch> = reader.collect::<Result<_, _>>()?;
    let mut all = Vec::new();
    for number in 0..years {
        for batch in &year {
            let (index, _) = batch
                .schema_ref()
                .column_with_name("event_time")
                .ok_or("event_time")?;
            let shift = i64::try_from(number)? * YEAR_US;
            let times = batch
                .column(index)
                .as_primitive::<TimestampMicrosecondType>();
            let mut columns = batch.columns().to_vec();
            columns[index] =
                Arc::new(times.unary::<_, TimestampMicrosecondType>(|time| time + shift));
            all.push(RecordBatch::try_new(batch.schema(), columns)?);
        }
    }
    Ok(all)
}

/// Writes batches to a file; its name says the format.
pub fn write(path: &Path, batches: &[RecordBatch]) -> Step {
    let schema = batches.first().ok_or("no rows")?.schema();
    let mut writer = format::create(path, schema, &format::WriteOptions::default())?;
    batches.iter().try_for_each(|batch| writer.write(batch))?;
    Ok(writer.finish()?)
}
