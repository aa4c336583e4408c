//! What somebody types on the first day who comes from Flink's SQL client, on both engines.
//!
//! `data/day-one` has the tables and the statements. Each engine has a server of its own over the same rows, so that a
//! statement is run as it stands. Invariant: a statement that runs on both engines gives the same rows there, one that does
//! not run is refused by name, and the tables of `docs/coming-from.md` say which does what.

mod entry;
mod page;

use entry::Entry;
use flinkspark_integration_tests::command::Said;
use flinkspark_integration_tests::server::Server;
use flinkspark_integration_tests::{Failure, Step, path};
use std::time::Duration;

/// Far above what a statement over a dozen rows takes.
const LIMIT: Duration = Duration::from_secs(30);

/// The fewest statements that are worth a page.
const ENTRIES_MIN: usize = 70;

/// The tables: the name, the file of their rows, and the column of their event time.
const TABLES: [(&str, &str, Option<&str>); 7] = [
    ("orders", "orders.csv", Some("order_time")),
    ("customers", "customers.csv", None),
    ("shipments", "shipments.csv", Some("ship_time")),
    ("bids", "bids.csv", Some("bidtime")),
    ("rates", "rates.csv", Some("valid_from")),
    ("visits", "visits.jsonl", None),
    ("profiles", "profiles.jsonl", None),
];

/// Tables with the columns of `orders` and no rows, for statements that write.
const EMPTY: [&str; 2] = ["archive", "notes"];

/// Codes that only a defect gives.
const DEFECTS: [&str; 6] = ["FS0517", "FS0620", "FS0809", "FS0904", "FS0915", "FS0916"];

/// An engine, and the server that has it to itself.
struct Engine {
    name: &'static str,
    server: Server,
    _dir: tempfile::TempDir,
}

/// What became of a statement on an engine.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// It ran; the rows that it gave or wrote, as text and sorted.
    Runs(Vec<String>),
    /// It was refused by name.
    Refused { code: String, message: String },
    /// What is never right: it broke something, did not end, or failed without a name.
    Wrong(String),
}

impl Engine {
    /// A server with the tables in it.
    fn start(name: &'static str) -> Step<Self> {
        let dir = tempfile::tempdir()?;
        let server = Server::start(&dir.path().join("data"))?;
        for (table, file, time) in TABLES {
            register(&server, table, file, time)?;
            let file = crate::file(&format!("data/day-one/{file}"))?;
            server.must(&["transfer", &file, &format!("dataset://{table}")])?;
        }
        for table in EMPTY {
            register(&server, table, "orders.csv", None)?;
        }
        Ok(Self {
            name,
            server,
            _dir: dir,
        })
    }

    /// Each statement in the order of the file.
    fn outcomes(&self, entries: &[Entry]) -> Vec<Outcome> {
        let outcome = |(number, entry): (usize, &Entry)| {
            let outcome = self.outcome(number, entry);
            outcome.unwrap_or_else(|failure| Outcome::Wrong(failure.to_string()))
        };
        entries.iter().enumerate().map(outcome).collect()
    }

    /// A question is answered by the batch engine; on the other one its rows are those of a job.
    fn outcome(&self, number: usize, entry: &Entry) -> Step<Outcome> {
        let answer = format!("answer_{number}");
        let is_kept = entry.asks() && self.name == "stream";
        let text = match is_kept {
            true => entry.kept_as(&answer),
            false => entry.text.clone(),
        };
        let mut arguments = vec!["sql", "-e", &text, "-o", "jsonl"];
        if entry.asks() || entry.writes_any() {
            arguments.extend(["--on", self.name]);
        }
        let said = self.server.run_within(&arguments, LIMIT)?;
        let said = said.ok_or_else(|| format!("it did not end within {LIMIT:?}"))?;
        if said.code != Some(0) {
            return refusal(&said);
        }
        let mut rows = Vec::new();
        if is_kept {
            rows = self.rows(&answer)?;
        } else if entry.asks() {
            rows.extend(said.out.lines().map(str::to_owned));
        }
        for dataset in entry.written() {
            rows.extend(self.rows(dataset)?);
        }
        rows.sort();
        Ok(Outcome::Runs(rows))
    }

    fn rows(&self, dataset: &str) -> Step<Vec<String>> {
        let head = ["dataset", "head", dataset, "-n", "1000", "-o", "jsonl"];
        let said = self.server.must(&head)?;
        Ok(said.out.lines().map(str::to_owned).collect())
    }
}

fn register(server: &Server, table: &str, file: &str, time: Option<&str>) -> Step {
    let file = crate::file(&format!("data/day-one/{file}"))?;
    let flink = format!("default_catalog.default_database.{table}");
    let mut arguments = vec!["dataset", "register", table, "--like", &file];
    arguments.extend(["--flink", &flink]);
    if let Some(time) = time {
        arguments.extend(["--time-attribute", time, "--watermark-delay", "5m"]);
    }
    server.must(&arguments).map(drop)
}

/// The refusal that a failed command prints; an error where it prints none, or one of a defect.
fn refusal(said: &Said) -> Step<Outcome> {
    let mut lines = said.err.lines().chain(said.out.lines());
    let error = lines.find_map(|line| line.strip_prefix("error["));
    let (code, message) = error
        .and_then(|error| error.split_once("]: "))
        .ok_or_else(|| format!("it failed without a name: {said:?}"))?;
    let of_statements = ["FS05", "FS06", "FS08", "FS09"];
    let by_name = of_statements.iter().any(|begin| code.starts_with(begin));
    if !by_name || code.ends_with("99") || DEFECTS.contains(&code) {
        return Err(Failure::from(format!("it failed by {code}: {said:?}")));
    }
    Ok(Outcome::Refused {
        code: code.into(),
        message: message.into(),
    })
}

/// Why an entry is wrong, if it is.
fn wrong(entry: &Entry, batch: &Outcome, stream: &Outcome) -> Option<String> {
    let why = match (batch, stream) {
        (Outcome::Wrong(why), _) => format!("on batch {why}"),
        (_, Outcome::Wrong(why)) => format!("on stream {why}"),
        (Outcome::Runs(batch), Outcome::Runs(stream)) if batch != stream => format!(
            "batch gives\n{}\nand stream\n{}",
            batch.join("\n"),
            stream.join("\n")
        ),
        _ => return None,
    };
    Some(format!("{}: {why}\n{}", entry.title, entry.text))
}

#[test]
fn what_runs_of_the_first_days_statements_is_what_the_page_says() -> Step {
    let text = std::fs::read_to_string(path("data/day-one/statements.sql"))?;
    let entries = entry::entries(&text)?;
    assert!(entries.len() >= ENTRIES_MIN, "{} entries", entries.len());
    let run =
        |name: &'static str| -> Step<Vec<Outcome>> { Ok(Engine::start(name)?.outcomes(&entries)) };
    let (batch, stream) = std::thread::scope(|scope| {
        let stream = scope.spawn(|| run("stream"));
        (run("batch"), stream.join())
    });
    let batch = batch?;
    let stream = stream.map_err(|_| "the thread of stream ended")??;
    let outcomes = || entries.iter().zip(batch.iter().zip(&stream));
    let wrong: Vec<String> = outcomes()
        .filter_map(|(entry, (batch, stream))| wrong(entry, batch, stream))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    page::is_as_found(&page::tables(outcomes()))
}
