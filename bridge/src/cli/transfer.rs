//! `flinkspark transfer`: files and datasets, both ways, with progress.

mod dry;

use super::args::{Format, TransferArgs};
use super::render;
use crate::client::{Address, Client, answer, look_up};
use crate::exit;
use flinkspark_connector::format::{Aside, ReadOptions};
use flinkspark_connector::transfer::{End, Options, Outcome, Progress, Silent, Transfer};
use flinkspark_model::dataset::Traits;
use flinkspark_model::name::DatasetName;
use flinkspark_model::port::{Entropy, Mode, Registration, check_key};
use flinkspark_model::{Error, Kind, Result};
use flinkspark_proto::v1;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::collections::HashSet;
use std::io::IsTerminal;
use std::path::Path;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// What the catalogue says of a name that it does not know.
const NO_DATASET: &str = "FS0512";

/// How often progress is printed where there is no terminal.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// Carries the transfer out.
pub(super) async fn run(url: &Address, output: Format, args: TransferArgs) -> Result<u8> {
    let id = args.id.unwrap_or_else(fresh_id);
    check_key("the transfer's id", id.as_bytes())?;
    let transfer = Transfer {
        id: id.clone(),
        source: args.source.parse()?,
        target: args.target.parse()?,
        options: Options {
            mode: if args.replace {
                Mode::Replace
            } else {
                Mode::Append
            },
            partitions: args.partitions,
            read: ReadOptions {
                columns: args.columns.clone(),
                aside: args.bad_rows.as_ref().map(|_| Aside::default()),
                ..args.files.read()?
            },
            write: args.files.write()?,
            columns: args.columns,
            force: args.force,
            bad_rows: args.bad_rows,
        },
    };
    let mut client = Client::connect(url).await?;
    let meter = Meter::new();
    if args.dry_run {
        let shown = dry::run(&mut client, &transfer, !args.no_create, &meter).await?;
        return render::object(output, &shown).map(|()| exit::OK);
    }
    eprintln!("transfer id: {id}");
    let created = match &transfer.target {
        End::Dataset(dataset) if !args.no_create => {
            create(&mut client, &transfer, dataset, &meter).await?
        }
        _ => None,
    };
    let bad_rows = match &transfer.options.bad_rows {
        Some(dataset) => for_bad_rows(&mut client, dataset).await?,
        None => None,
    };
    let outcome = transfer.run(&client.flight, &meter).await;
    meter.done();
    if let Some(dataset) = bad_rows
        && outcome
            .as_ref()
            .map_or_else(is_final, |outcome| outcome.bad_rows == 0)
    {
        forget(&mut client, dataset, "nothing was set aside").await;
    }
    let outcome = match (outcome, created) {
        (Err(error), Some(dataset)) => {
            if is_final(&error) {
                forget(&mut client, dataset, "nothing was written").await;
            }
            return Err(error);
        }
        (outcome, _) => outcome?,
    };
    let mut rows = json!({
        "id": id, "source": transfer.source.to_string(), "target": transfer.target.to_string(),
        "rows": outcome.rows, "bytes": outcome.bytes, "digest": outcome.digest.to_string(),
        "slot": outcome.slot, "replayed": outcome.replayed,
    });
    if let (Some(dataset), Some(fields)) = (&transfer.options.bad_rows, rows.as_object_mut()) {
        fields.insert("bad_rows".into(), outcome.bad_rows.into());
        fields.insert("bad_rows_in".into(), dataset.as_str().into());
    }
    if let (true, Some(fields)) = (outcome.replayed, rows.as_object_mut()) {
        // Other rows under this id would have been an error.
        fields.insert("same_rows".into(), true.into());
    }
    match transfer.target {
        // The rows are there.
        End::Standard(_) => eprintln!("note: {} rows were written", outcome.rows),
        _ => render::object(output, &rows)?,
    }
    Ok(exit::OK)
}

/// Registers a dataset that does not exist, with the schema of the file that goes into it; none where it exists.
async fn create(
    client: &mut Client,
    transfer: &Transfer,
    dataset: &str,
    meter: &Meter,
) -> Result<Option<v1::Dataset>> {
    if let End::Dataset(_) = transfer.source {
        return Ok(None);
    }
    match look_up(client, dataset).await {
        Err(error) if error.code() == NO_DATASET => {
            // What is no name is a handle or an id, which nobody can choose.
            let Ok(name) = DatasetName::new(dataset) else {
                return Err(error);
            };
            let reader = transfer.source.open(&transfer.options.read)?;
            for notice in reader.notices() {
                meter.say(&notice);
            }
            let registration = Registration {
                name,
                schema: reader.schema(),
                traits: Traits::default(),
                handles: Vec::new(),
            };
            let request = v1::RegisterRequest::try_from(&registration)?;
            let registered = answer(client.catalog.register(request).await)?;
            eprintln!(
                "note: {dataset} did not exist: it is registered with the {} columns of {}",
                registration.schema.fields().len(),
                transfer.source
            );
            Ok(Some(registered))
        }
        Err(error) => Err(error),
        Ok(_) => Ok(None),
    }
}

/// Registers the dataset of records that are set aside; none where it exists.
async fn for_bad_rows(client: &mut Client, dataset: &str) -> Result<Option<v1::Dataset>> {
    match look_up(client, dataset).await {
        Err(error) if error.code() == NO_DATASET => {
            let registration = Registration {
                name: DatasetName::new(dataset)?,
                schema: Aside::schema(),
                traits: Traits::default(),
                handles: Vec::new(),
            };
            let request = v1::RegisterRequest::try_from(&registration)?;
            answer(client.catalog.register(request).await).map(Some)
        }
        Err(error) => Err(error),
        Ok(_) => Ok(None),
    }
}

/// Whether the same command could never come about. After trouble that may pass it goes on with the same id, and may
/// have been committed already.
fn is_final(error: &Error) -> bool {
    matches!(error.kind(), Kind::Invalid | Kind::NotFound | Kind::Data)
}

/// Drops a dataset that was registered for rows which did not come.
async fn forget(client: &mut Client, dataset: v1::Dataset, why: &str) {
    // Somebody else may have found it and written to it.
    let view = look_up(client, &dataset.id).await;
    if !view.is_ok_and(|view| view.head.unwrap_or_default().rows == 0) {
        return;
    }
    let request = v1::DropRequest {
        id: dataset.id,
        version: dataset.version,
    };
    match answer(client.catalog.drop(request).await) {
        Ok(_) => eprintln!("note: {why}, and {} is forgotten again", dataset.name),
        Err(left) => eprintln!("note: {} stays, without rows: {left}", dataset.name),
    }
}

/// Puts a file into a dataset without showing progress.
pub(crate) async fn put_file(
    client: &Client,
    file: &Path,
    dataset: &str,
    id: &str,
) -> Result<Outcome> {
    let transfer = Transfer {
        id: id.into(),
        source: End::File(file.into()),
        target: End::Dataset(dataset.into()),
        options: Options::default(),
    };
    transfer.run(&client.flight, &Silent).await
}

fn fresh_id() -> String {
    let mut bytes = [0; 8];
    crate::system::SystemEntropy.fill(&mut bytes);
    format!("t-{:016x}", u64::from_be_bytes(bytes))
}

/// A bar on a terminal, one JSON line a second off it.
struct Meter {
    bar: Option<ProgressBar>,
    started: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    total: Option<u64>,
    last: Option<Instant>,
    /// A file that is registered and then read is told of once.
    said: HashSet<String>,
}

impl Meter {
    fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(ProgressBar::no_length);
        Self {
            bar,
            started: Instant::now(),
            state: Mutex::default(),
        }
    }

    fn done(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Progress for Meter {
    fn total(&self, rows: Option<u64>) {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .total = rows;
        if let (Some(bar), Some(rows)) = (&self.bar, rows) {
            let style = ProgressStyle::with_template(
                "{bar:30} {pos}/{len} rows, {msg}, {per_sec}, {eta} left",
            );
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.set_length(rows);
        }
    }

    fn moved(&self, rows: u64, bytes: u64) {
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{} MiB", bytes >> 20));
            bar.set_position(rows);
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.last.unwrap_or(self.started).elapsed() < REPORT_EVERY {
            return;
        }
        state.last = Some(Instant::now());
        let seconds = self.started.elapsed().as_secs_f64();
        let rate = rows as f64 / seconds;
        let eta = state
            .total
            .map(|total| (total.saturating_sub(rows) as f64 / rate).round());
        let line = json!({"rows": rows, "total": state.total, "bytes": bytes, "rows_per_second": rate.round(), "eta_seconds": eta});
        eprintln!("{line}");
    }

    fn say(&self, text: &str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.said.insert(text.to_owned()) {
            return;
        }
        drop(state);
        match &self.bar {
            Some(bar) => bar.println(format!("note: {text}")),
            None => eprintln!("note: {text}"),
        }
    }
}
