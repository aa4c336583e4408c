//! A small data directory with four datasets and two jobs, and what a server on it answers.

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use flinkspark_bridge::client::{Client, answer};
use flinkspark_bridge::config::Config;
use flinkspark_bridge::jobs::{JobId, Options, State, Submission, Target};
use flinkspark_bridge::server::Server;
use flinkspark_connector::flight::body::ReadCommand;
use flinkspark_model::access::Caller;
use flinkspark_model::dataset::DatasetId;
use flinkspark_model::digest::{Digest, Digester};
use flinkspark_model::log::{Commit, Intent, Receipt, SegmentFormat, SourceOffsets};
use flinkspark_model::port::{Damaged, Reference, Registration, SegmentSpec};
use flinkspark_model::{Error, Kind, Result};
use flinkspark_proto::v1;
use futures::TryStreamExt;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

/// The datasets: one with an epoch of each kind of writer, one whose record is a file of its own, two outputs.
const DATASETS: [&str; 4] = ["numbers", "wide", "doubled", "few"];
const JOBS: [(&str, Target, &str); 2] = [
    (
        "double",
        Target::Stream,
        "INSERT INTO doubled SELECT n + n AS m, word FROM numbers",
    ),
    (
        "filter",
        Target::Batch,
        "INSERT INTO few SELECT n, word FROM numbers WHERE n < 7",
    ),
];
/// Columns of a dataset whose record does not fit into the catalogue's journal.
const WIDE: usize = 400;

/// What a dataset answers.
pub(crate) enum Answer {
    /// All its rows.
    Rows(Digest),
    /// An error of the kind `Data`.
    Refused(Error),
}

/// What a server answers.
pub(crate) struct Seen {
    pub(crate) datasets: BTreeMap<String, Answer>,
    /// Jobs by id, with their states.
    pub(crate) jobs: BTreeMap<String, String>,
}

/// A data directory that no server holds.
pub(crate) struct Populated {
    dir: TempDir,
    ids: BTreeMap<String, DatasetId>,
    digests: BTreeMap<String, Digest>,
}

fn config(dir: &Path) -> Config {
    Config {
        data_dir: dir.into(),
        grpc: "127.0.0.1:0".parse().unwrap(),
        http: "127.0.0.1:0".parse().unwrap(),
        ..Config::default()
    }
}

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("n", DataType::Int64, false),
        Field::new("word", DataType::Utf8, true),
    ]))
}

fn rows(range: std::ops::Range<i64>) -> RecordBatch {
    let words = range
        .clone()
        .map(|n| (n % 3 != 0).then(|| format!("word {n}")));
    let words: ArrayRef = Arc::new(words.collect::<StringArray>());
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(range));
    RecordBatch::try_new(schema(), vec![numbers, words]).unwrap()
}

fn wide() -> RecordBatch {
    let names =
        (0..WIDE).map(|n| Field::new(format!("measurement_number_{n:05}"), DataType::Int64, true));
    let schema = Arc::new(Schema::new(names.collect::<Vec<_>>()));
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values(0..3));
    RecordBatch::try_new(schema, vec![column; WIDE]).unwrap()
}

/// Registers a dataset and commits each batch as an epoch.
async fn put(server: &Server, name: &str, batches: &[RecordBatch]) -> Result<()> {
    let parts = server.parts();
    let schema = batches[0].schema();
    let made = parts.catalog.register(Registration {
        name: name.parse()?,
        schema: Arc::clone(&schema),
        traits: Default::default(),
        handles: vec![],
    });
    let made = made.await?;
    let log = parts.datasets.dataset(made.id, Arc::clone(&schema)).await?;
    let fence = Intent::Fence {
        writer: "w".into(),
        generation: 1,
        restored: 0,
        rewind: false,
        drops: false,
        incarnation: "test".into(),
    };
    log.append(fence).await?;
    for (n, batch) in (1..).zip(batches) {
        let spec = SegmentSpec {
            partition: 0,
            attempt: 0,
            format: SegmentFormat::Arrow,
            schema: Arc::clone(&schema),
            job: None,
        };
        let mut writer = log.stage(spec).await?;
        writer.write(batch).await?;
        let Receipt { segment, .. } = writer.seal().await?;
        let commit = Commit {
            writer: "w".into(),
            generation: 1,
            n,
            token: None,
            run: "test".into(),
            source_offsets: SourceOffsets::of("in", n),
            schema_version: 1,
            watermark_ms: None,
            checkpoint_ref: None,
            lineage: Vec::new(),
            segments: vec![segment],
            manifest: None,
        };
        log.append(Intent::Commit(commit)).await?;
    }
    let view = log.refresh().await?;
    let told = parts
        .catalog
        .advance(made.id, view.head(), view.totals().0, view.watermark_ms());
    told.await
}

impl Populated {
    /// Makes it with a server that is stopped again.
    pub(crate) async fn make() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start(config(dir.path())).await.unwrap();
        put(
            &server,
            "numbers",
            &[rows(0..10), rows(10..300), rows(300..301)],
        )
        .await
        .unwrap();
        put(&server, "wide", &[wide()]).await.unwrap();
        for (id, target, text) in JOBS {
            let id = JobId::new(id).unwrap();
            let submission = Submission {
                id: id.clone(),
                text: text.into(),
                target,
                options: Options::default(),
            };
            let jobs = &server.parts().jobs;
            jobs.submit(submission, &Caller::open()).await.unwrap();
            let mut watched = jobs.watch(&id).await.unwrap();
            while watched.borrow().state == State::Running && watched.changed().await.is_ok() {}
            let ended = jobs.get(&id).await.unwrap();
            assert_eq!(ended.state, State::Finished, "{:?}", ended.error);
        }
        let mut ids = BTreeMap::new();
        for name in DATASETS {
            let name_of = Reference::Name(name.parse().unwrap());
            let found = server.parts().catalog.lookup(&name_of);
            ids.insert(name.to_owned(), found.await.unwrap().id);
        }
        server.stop().await.unwrap();
        let seen = look(dir.path()).await.unwrap();
        let digest = |(name, answer)| match answer {
            Answer::Rows(digest) => (name, digest),
            Answer::Refused(error) => panic!("{name}: {error}"),
        };
        let digests: BTreeMap<String, Digest> = seen.datasets.into_iter().map(digest).collect();
        assert_eq!(digests["numbers"].rows, 301);
        assert_eq!(digests["few"].rows, 7);
        Self { dir, ids, digests }
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn datasets(&self) -> impl Iterator<Item = (&String, &Digest)> {
        self.digests.iter()
    }

    pub(crate) fn jobs(&self) -> impl Iterator<Item = &'static str> {
        JOBS.iter().map(|(id, _, _)| *id)
    }

    /// Whether a dataset depends on a file.
    pub(crate) fn may_be_refused(&self, name: &str, file: &Path) -> bool {
        file.starts_with(format!("datasets/{}", self.ids[name]))
            || file == Path::new("catalog/journal")
            || (name == "wide" && file.starts_with("catalog/blobs"))
    }

    /// Whether a file is a job's own.
    pub(crate) fn belongs_to_job(&self, id: &str, file: &Path) -> bool {
        let log = JobId::new(id).unwrap().log();
        file.starts_with(format!("jobs/{}", log.0))
    }
}

/// Starts a server on the directory, asks it for everything and stops it. `Err`: it does not start.
pub(crate) async fn look(dir: &Path) -> Result<Seen> {
    let server = Server::start(config(dir)).await?;
    let mut client = Client::connect(format!("http://{}", server.grpc()).as_str()).await?;
    let mut datasets = BTreeMap::new();
    for name in DATASETS {
        let answer = match digest(&client, name).await {
            Ok(digest) => Answer::Rows(digest),
            Err(error) => {
                assert_eq!(error.kind(), Kind::Data, "{name}: {error}");
                Answer::Refused(error)
            }
        };
        datasets.insert(name.to_owned(), answer);
    }
    let listed = answer(client.catalog.list(v1::ListRequest::default()).await);
    match listed {
        Ok(page) => {
            let damaged = page
                .damaged
                .into_iter()
                .map(|one| Damaged::try_from(one).map(|one| one.name.to_string()));
            let damaged: Vec<String> = damaged.collect::<Result<_>>()?;
            for name in DATASETS {
                let there = page.datasets.iter().any(|dataset| dataset.name == name);
                assert!(
                    there || damaged.iter().any(|one| one == name),
                    "{name} is not listed"
                );
            }
        }
        Err(error) => assert_eq!(error.kind(), Kind::Data, "{error}"),
    }
    let listed = answer(client.jobs.list(v1::ListJobsRequest::default()).await)?;
    let state = |job: v1::Job| {
        let state = match job.state() {
            v1::JobState::Finished => "finished",
            v1::JobState::Failed => "failed",
            _ => "something else",
        };
        (job.id, state.to_owned())
    };
    let jobs = listed.jobs.into_iter().map(state).collect();
    drop(client);
    server.stop().await?;
    Ok(Seen { datasets, jobs })
}

async fn digest(client: &Client, name: &str) -> Result<Digest> {
    let command = ReadCommand {
        dataset: name.into(),
        ..ReadCommand::default()
    };
    let info = client.flight.info(&command).await?;
    let mut digester = Digester::new(&info.schema)?;
    for endpoint in &info.endpoints {
        let mut rows = client.flight.read(endpoint).await?;
        while let Some((batch, _)) = rows.try_next().await? {
            digester.update(&batch)?;
        }
    }
    let digest = digester.finish();
    if Some(digest) == info.metadata.digest {
        return Ok(digest);
    }
    Err(Error::new(
        Kind::Data,
        "FS0436",
        "rows are not those that were committed",
    ))
}
