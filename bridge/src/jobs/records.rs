//! The records of jobs, of their lives and of their ends, in a store.
//!
//! A job lives from its submission to an end, and again each time it is resumed. Every object is made by
//! a conditional create, so that two submissions of one id, or two ends of one life, have one winner; only
//! the marks of starts are ever deleted. Invariant: what cannot be read whole is an error, never a job
//! that is left out.

use super::record::{End, JobId, JobRecord, RECORD_FORMAT};
use flinkspark_connector::store::{Created, Key, Listed, Store};
use flinkspark_model::log::LogId;
use flinkspark_model::{Error, Kind, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;
use uuid::Uuid;

/// The list of submissions: made before a record, so that every record is found.
const INDEX: &str = "jobs-index";

/// The list of accepted jobs: made after a record, so that a lost one is missed.
const KEPT: &str = "jobs-kept";

/// The object that holds the first request to stop.
const STOP_REQUEST: &str = "stop-request";

/// The folder of the starts that left no trace of progress.
const STARTS: &str = "starts";

/// A job's life: from its submission, or from a resumption, to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// Which one, from 1.
    pub number: u64,
    /// How it ended; `None` while it has not.
    pub end: Option<End>,
}

/// An object that says when it was made.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mark {
    format: u32,
    at_ms: u64,
}

/// How a job was asked to stop.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StopRequest {
    format: u32,
    drain: bool,
}

/// A job that is there and whose record cannot be used.
#[derive(Debug, Clone, PartialEq)]
pub struct DamagedJob {
    /// Its id; where nothing says it any more, its log's.
    pub id: String,
    /// What is damaged.
    pub error: Error,
}

/// Every job that was accepted.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Found {
    /// The records that are whole, in no particular order.
    pub records: Vec<JobRecord>,
    /// The others.
    pub damaged: Vec<DamagedJob>,
}

/// The records of all jobs, in a store.
#[derive(Clone)]
pub struct Records {
    store: Arc<dyn Store>,
}

impl Records {
    /// The records in this store.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// Makes a record durable; `Err` holds the one that was there.
    pub async fn create(&self, record: &JobRecord) -> Result<std::result::Result<(), JobRecord>> {
        // The listing finds a job by this marker; a marker without a record is a submission that
        // was never acknowledged.
        let log = record.id.log();
        self.store
            .create(
                &Key::new(INDEX)?.join(log.0)?,
                record.id.as_str().to_owned().into(),
            )
            .await?;
        let created = self
            .store
            .create(&key(log, "record")?, encode(record)?.into())
            .await?;
        let there = match created {
            Created::New => Ok(()),
            Created::Exists(bytes) => Err(decode(&bytes)?),
        };
        self.mark_kept(record).await?;
        Ok(there)
    }

    /// Says that a record was made, apart from the record: one that vanishes later is missed.
    async fn mark_kept(&self, record: &JobRecord) -> Result<()> {
        let key = Key::new(KEPT)?.join(record.id.log().0)?;
        let id = record.id.as_str().to_owned();
        self.store.create(&key, id.into()).await.map(drop)
    }

    /// The record of an id.
    pub async fn get(&self, id: &JobId) -> Result<Option<JobRecord>> {
        self.read(id.log(), "record").await
    }

    /// The latest life of a job that was submitted.
    pub async fn life(&self, id: &JobId) -> Result<Life> {
        let log = id.log();
        let mut number = 1;
        loop {
            let end: Option<End> = self.read(log, &end_of(number)).await?;
            let resumed = match end {
                Some(_) => self.read::<Mark>(log, &resumption_of(number)).await?,
                None => None,
            };
            if resumed.is_none() {
                return Ok(Life { number, end });
            }
            number += 1;
        }
    }

    /// Whether a job has ended and will not be resumed: until then what it may go on with is its own.
    pub async fn ended_for_good(&self, id: &JobId) -> Result<bool> {
        let end = self.life(id).await?.end;
        Ok(end.is_some_and(|end| !end.outcome.can_go_on()))
    }

    /// Says how a life ended; the first one to say so wins, and is returned.
    pub async fn finish(&self, id: &JobId, life: u64, end: &End) -> Result<End> {
        let key = key(id.log(), &end_of(life))?;
        match self.store.create(&key, encode(end)?.into()).await? {
            Created::New => Ok(end.clone()),
            Created::Exists(bytes) => decode(&bytes),
        }
    }

    /// Begins the life after this one, which has ended. Idempotent.
    pub async fn resume(&self, id: &JobId, life: u64, at_ms: u64) -> Result<()> {
        let format = RECORD_FORMAT;
        let mark = encode(&Mark { format, at_ms })?;
        let key = key(id.log(), &resumption_of(life))?;
        self.store.create(&key, mark.into()).await.map(drop)
    }

    /// Marks that an incarnation starts.
    pub async fn started(&self, id: &JobId, at_ms: u64) -> Result<()> {
        let format = RECORD_FORMAT;
        let mark = encode(&Mark { format, at_ms })?;
        let last = self.starts(id).await?.into_iter().max().unwrap_or(0);
        let key = key(id.log(), STARTS)?.join(last + 1)?;
        self.store.create(&key, mark.into()).await.map(drop)
    }

    /// The starts since the job last came further, or was let go in order.
    pub async fn starts(&self, id: &JobId) -> Result<Vec<u64>> {
        let listed = self.store.list(&key(id.log(), STARTS)?).await?;
        let number = |entry: &Listed| {
            entry
                .name
                .parse()
                .map_err(|_| damaged(format!("\"{}\" is not a start", entry.name.escape_debug())))
        };
        listed.iter().map(number).collect()
    }

    /// Forgets the starts: the job came further, or was let go in order.
    pub async fn came_further(&self, id: &JobId) -> Result<()> {
        let starts = key(id.log(), STARTS)?;
        for number in self.starts(id).await? {
            self.store.delete(&starts.join(number)?).await?;
        }
        Ok(())
    }

    /// Asks a job to stop; the request outlives the server. Returns whether the first request that
    /// was made is to drain: it stands.
    pub async fn request_stop(&self, id: &JobId, drain: bool) -> Result<bool> {
        let request = StopRequest {
            format: RECORD_FORMAT,
            drain,
        };
        let key = key(id.log(), STOP_REQUEST)?;
        match self.store.create(&key, encode(&request)?.into()).await? {
            Created::New => Ok(drain),
            Created::Exists(first) => Ok(decode::<StopRequest>(&first)?.drain),
        }
    }

    /// Whether a job was asked to stop, and whether to drain first.
    pub async fn stop_requested(&self, id: &JobId) -> Result<Option<bool>> {
        let request: Option<StopRequest> = self.read(id.log(), STOP_REQUEST).await?;
        Ok(request.map(|request| request.drain))
    }

    /// Every job that was accepted. Two lists know of them, so that no lost file takes a job from both.
    ///
    /// Errors: what may pass; a damaged record is one job's.
    pub async fn all(&self) -> Result<Found> {
        let kept = self.logs_in(KEPT).await?;
        let submitted = self.logs_in(INDEX).await?;
        let mut found = Found::default();
        for log in submitted.union(&kept).copied() {
            match self.read::<JobRecord>(log, "record").await {
                Ok(Some(record)) if record.id.log() == log => {
                    if !kept.contains(&log)
                        && let Err(error) = self.mark_kept(&record).await
                    {
                        tracing::debug!(job = %record.id, %error, "the next start marks it");
                    }
                    found.records.push(record);
                }
                Ok(Some(record)) => {
                    let why = format!("it is the record of job {}", record.id);
                    found.damaged.push(self.broken(log, damaged(why)).await);
                }
                Ok(None) if kept.contains(&log) => {
                    let gone = damaged("it is gone, and the job was accepted".into());
                    found.damaged.push(self.broken(log, gone).await);
                }
                // A submission that was never acknowledged.
                Ok(None) => {}
                Err(error) if error.kind() == Kind::Data => {
                    found.damaged.push(self.broken(log, error).await);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    async fn logs_in(&self, list: &str) -> Result<BTreeSet<LogId>> {
        let mut logs = BTreeSet::new();
        for entry in self.store.list(&Key::new(list)?).await? {
            match Uuid::parse_str(&entry.name) {
                Ok(log) => {
                    logs.insert(LogId(log));
                }
                Err(_) => tracing::warn!(list, name = entry.name, "not a job: left alone"),
            }
        }
        Ok(logs)
    }

    /// A damaged job by the id that its marks still say.
    async fn broken(&self, log: LogId, error: Error) -> DamagedJob {
        let mut id = log.0.to_string();
        for list in [KEPT, INDEX] {
            let Ok(key) = Key::new(list).and_then(|list| list.join(log.0)) else {
                continue;
            };
            let Ok(Some(bytes)) = self.store.read(&key).await else {
                continue;
            };
            let said = std::str::from_utf8(&bytes).ok().map(JobId::new);
            if let Some(Ok(said)) = said
                && said.log() == log
            {
                id = said.to_string();
                break;
            }
        }
        let detail = format!(
            "jobs/{}/record: {}",
            log.0,
            error.detail().unwrap_or_default()
        );
        DamagedJob {
            id,
            error: error.with_detail(detail),
        }
    }

    async fn read<T: DeserializeOwned>(&self, log: LogId, what: &str) -> Result<Option<T>> {
        self.store
            .read(&key(log, what)?)
            .await?
            .map(|bytes| decode(&bytes))
            .transpose()
    }
}

/// The object that holds a life's end; the first has the name that it had before jobs could be resumed.
fn end_of(life: u64) -> String {
    match life {
        1 => "end".into(),
        later => format!("end-{later}"),
    }
}

/// The object that says that a life was followed by another.
fn resumption_of(life: u64) -> String {
    format!("resumed-{life}")
}

fn key(log: LogId, what: &str) -> Result<Key> {
    Key::new(&format!("jobs/{}/{what}", log.0))
}

/// One line of JSON and one line with its CRC32C.
fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(value).map_err(|cause| {
        Error::new(
            Kind::Internal,
            "FS0904",
            "a job's record could not be encoded",
        )
        .with_source(cause)
    })?;
    let checksum = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(format!("\ncrc32c {checksum:08x}\n").as_bytes());
    Ok(bytes)
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let text = std::str::from_utf8(bytes).map_err(|cause| damaged(cause.to_string()))?;
    let parts = text
        .strip_suffix('\n')
        .and_then(|text| text.rsplit_once('\n'));
    let (json, trailer) = parts.ok_or_else(|| damaged("it ends early".into()))?;
    if trailer != format!("crc32c {:08x}", crc32c::crc32c(json.as_bytes())) {
        return Err(damaged("its checksum does not match its content".into()));
    }
    #[derive(Deserialize)]
    struct Versioned {
        format: u32,
    }
    let versioned: Versioned =
        serde_json::from_str(json).map_err(|cause| damaged(cause.to_string()))?;
    if versioned.format > RECORD_FORMAT {
        return Err(Error::new(
            Kind::Invalid,
            "FS0906",
            "a job's record was written by a newer FlinkSpark",
        )
        .with_detail(format!(
            "it has format {}; this build reads up to {RECORD_FORMAT}",
            versioned.format
        ))
        .with_hint("start a build at least as new as the one that wrote it"));
    }
    serde_json::from_str(json).map_err(|cause| damaged(cause.to_string()))
}

fn damaged(why: String) -> Error {
    Error::new(Kind::Data, "FS0905", "a job's record is damaged")
        .with_detail(why)
        .with_hint("restore the file below jobs/ from a backup")
}

#[cfg(test)]
mod tests {
    use super::super::record::{Counts, Options, Outcome, Submission, Target};
    use super::*;
    use flinkspark_adapter::plan::Home;
    use flinkspark_connector::store::object::Objects;
    use flinkspark_model::dataset::DatasetId;
    use flinkspark_model::name::DatasetName;

    fn submission(id: &str, text: &str) -> Submission {
        Submission {
            id: JobId::new(id).unwrap(),
            text: text.into(),
            target: Target::Stream,
            options: Options::default(),
        }
    }

    fn record(id: &str, text: &str) -> JobRecord {
        let output = (
            DatasetId::from_parts(1, [0; 10]),
            DatasetName::new("out").unwrap(),
        );
        submission(id, text).record(Vec::new(), output, None, Vec::new(), 1)
    }

    #[tokio::test]
    async fn the_first_submission_of_an_id_wins() {
        let records = Records::new(Arc::new(Objects::memory()));
        assert_eq!(records.create(&record("a", "x")).await.unwrap(), Ok(()));
        let there = records
            .create(&record("a", "y"))
            .await
            .unwrap()
            .unwrap_err();
        assert_eq!(there.text, "x");
        assert_eq!(
            submission("a", "y").matches(&there).unwrap_err().code(),
            "FS0902"
        );
        assert_eq!(submission("a", "x").matches(&there), Ok(()));
        let found = records.all().await.unwrap();
        assert_eq!((found.records, found.damaged), (vec![there], vec![]));
    }

    #[tokio::test]
    async fn a_damaged_or_vanished_job_is_one_job_and_keeps_its_name() {
        let three = ["a", "b", "c"];
        let at = |list: &str, id: &str| {
            Key::new(list)
                .unwrap()
                .join(JobId::new(id).unwrap().log().0)
                .unwrap()
        };
        for (what, lost, written) in [
            (
                "flipped record",
                key(JobId::new("b").unwrap().log(), "record").unwrap(),
                Some("x"),
            ),
            (
                "lost record",
                key(JobId::new("b").unwrap().log(), "record").unwrap(),
                None,
            ),
            ("lost submission", at(INDEX, "b"), None),
            ("lost acceptance", at(KEPT, "b"), None),
            ("flipped submission", at(INDEX, "b"), Some("q")),
        ] {
            let store = Arc::new(Objects::memory());
            let records = Records::new(Arc::clone(&store) as Arc<dyn Store>);
            for id in three {
                records.create(&record(id, "x")).await.unwrap().unwrap();
            }
            store.delete(&lost).await.unwrap();
            if let Some(text) = written {
                store.create(&lost, text.to_owned().into()).await.unwrap();
            }
            let found = records.all().await.unwrap();
            let names = found.records.iter().map(|record| record.id.to_string());
            let damaged = found.damaged.iter().map(|damaged| {
                assert_eq!(
                    (damaged.error.kind(), damaged.error.code()),
                    (Kind::Data, "FS0905")
                );
                damaged.id.clone()
            });
            assert_eq!(
                found.damaged.len(),
                usize::from(what.ends_with("record")),
                "{what}"
            );
            let all: BTreeSet<String> = names.chain(damaged).collect();
            assert_eq!(all, three.map(String::from).into(), "{what}");
        }
    }

    #[tokio::test]
    async fn a_submission_that_was_never_acknowledged_is_no_job() {
        let store = Arc::new(Objects::memory());
        let records = Records::new(Arc::clone(&store) as Arc<dyn Store>);
        let log = JobId::new("a").unwrap().log();
        let mark = Key::new(INDEX).unwrap().join(log.0).unwrap();
        store.create(&mark, "a".to_owned().into()).await.unwrap();
        assert_eq!(records.all().await.unwrap(), Found::default());
        // Jobs from before the second list are put into it when they are found.
        let record_at = key(log, "record").unwrap();
        let bytes = encode(&record("a", "x")).unwrap();
        store.create(&record_at, bytes.into()).await.unwrap();
        assert_eq!(records.all().await.unwrap().records.len(), 1);
        store.delete(&record_at).await.unwrap();
        assert_eq!(records.all().await.unwrap().damaged.len(), 1);
    }

    #[tokio::test]
    async fn a_job_ends_once() {
        let records = Records::new(Arc::new(Objects::memory()));
        let id = JobId::new("a").unwrap();
        let first = End::new(Outcome::Finished, Counts::default(), 1);
        assert_eq!(records.finish(&id, 1, &first).await.unwrap(), first);
        let second = End::new(Outcome::Stopped, Counts::default(), 2);
        assert_eq!(records.finish(&id, 1, &second).await.unwrap(), first);
    }

    #[tokio::test]
    async fn a_job_that_is_resumed_ends_once_more() {
        let records = Records::new(Arc::new(Objects::memory()));
        let id = JobId::new("a").unwrap();
        let error = Error::new(Kind::Data, "FS1005", "a segment is missing");
        let failed = End::new(Outcome::Failed((&error).into()), Counts::default(), 1);
        let stopped = End::new(Outcome::Stopped, Counts::default(), 2);
        records.finish(&id, 1, &failed).await.unwrap();
        let life = records.life(&id).await.unwrap();
        assert_eq!((life.number, life.end), (1, Some(failed)));
        for _ in 0..2 {
            records.resume(&id, 1, 5).await.unwrap();
            let life = records.life(&id).await.unwrap();
            assert_eq!((life.number, life.end), (2, None));
        }
        assert_eq!(records.finish(&id, 2, &stopped).await.unwrap(), stopped);
        let life = records.life(&id).await.unwrap();
        assert_eq!((life.number, life.end), (2, Some(stopped)));
    }

    #[tokio::test]
    async fn starts_are_counted_until_the_job_comes_further() {
        let records = Records::new(Arc::new(Objects::memory()));
        let id = JobId::new("a").unwrap();
        for count in 0..3 {
            assert_eq!(records.starts(&id).await.unwrap().len(), count);
            records.started(&id, 7).await.unwrap();
        }
        records.came_further(&id).await.unwrap();
        assert!(records.starts(&id).await.unwrap().is_empty());
    }

    /// What a build before lives and homes wrote.
    const FORMAT_1: [&str; 3] = [
        include_str!("fixtures/record-1"),
        include_str!("fixtures/end-1"),
        include_str!("fixtures/failed-1"),
    ];

    #[test]
    fn records_of_format_1_are_read() {
        let record: JobRecord = decode(FORMAT_1[0].as_bytes()).unwrap();
        assert_eq!(record.options.home, Home::FlinkBatch);
        assert_eq!(record.options.parallelism, Some(4));
        assert_eq!((record.id.as_str(), record.inputs.len()), ("old", 1));
        let again: JobRecord = decode(&encode(&record).unwrap()).unwrap();
        assert_eq!(again.options, record.options);
        let end: End = decode(FORMAT_1[1].as_bytes()).unwrap();
        assert_eq!((end.outcome, end.counts.rows_out), (Outcome::Finished, 3));
        let end: End = decode(FORMAT_1[2].as_bytes()).unwrap();
        assert!(end.outcome.can_go_on());
        let error = end.outcome.error().unwrap();
        assert_eq!((error.kind(), error.code()), (Kind::Unavailable, "FS1001"));
    }

    #[test]
    fn a_record_names_its_home_by_dialect_and_mode() {
        let text = String::from_utf8(encode(&record("a", "x")).unwrap()).unwrap();
        assert!(text.contains(r#""home":"flink/streaming""#), "{text}");
        let unknown = text.split('\n').next().unwrap().replace("flink/", "beam/");
        let refused = serde_json::from_str::<JobRecord>(&unknown).unwrap_err();
        assert!(refused.to_string().contains("beam/streaming"), "{refused}");
    }

    #[tokio::test]
    async fn the_first_request_to_stop_stands() {
        let records = Records::new(Arc::new(Objects::memory()));
        let id = JobId::new("a").unwrap();
        assert_eq!(records.stop_requested(&id).await.unwrap(), None);
        for how in [true, false] {
            assert!(records.request_stop(&id, how).await.unwrap());
            assert_eq!(records.stop_requested(&id).await.unwrap(), Some(true));
        }
    }

    #[tokio::test]
    async fn a_damaged_request_to_stop_is_never_believed() {
        let store = Arc::new(Objects::memory());
        let records = Records::new(Arc::clone(&store) as Arc<dyn Store>);
        let id = JobId::new("a").unwrap();
        let key = key(id.log(), STOP_REQUEST).unwrap();
        store.create(&key, "dsain".to_owned().into()).await.unwrap();
        let read = records.stop_requested(&id).await.unwrap_err();
        assert_eq!(read.code(), "FS0905");
        assert_eq!(records.request_stop(&id, true).await, Err(read));
    }

    #[test]
    fn a_damaged_record_is_never_believed() {
        let bytes = encode(&record("a", "x")).unwrap();
        assert!(decode::<JobRecord>(&bytes).is_ok());
        for index in 0..bytes.len() {
            let mut torn = bytes.clone();
            torn[index] ^= 1;
            assert!(decode::<JobRecord>(&torn).is_err(), "byte {index}");
            assert!(
                decode::<JobRecord>(&bytes[..index]).is_err(),
                "length {index}"
            );
        }
    }

    #[test]
    fn an_id_that_could_leave_its_folder_is_refused() {
        for id in ["", "a/b", "a b", "ä", &"x".repeat(129)] {
            assert_eq!(JobId::new(id).unwrap_err().code(), "FS0901", "{id}");
        }
    }
}
