//! Records, lives and ends, whole and damaged.

use super::lives::STOP_REQUEST;
use super::*;
use crate::jobs::end::{Counts, End, Outcome};
use crate::jobs::record::{Options, Submission, Target};
use flinkspark_adapter::plan::Home;
use flinkspark_connector::store::object::Objects;
use flinkspark_model::access::{Caller, Principal};
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
    include_str!("../fixtures/record-1"),
    include_str!("../fixtures/end-1"),
    include_str!("../fixtures/failed-1"),
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
fn a_record_names_its_principal_in_a_format_that_older_builds_refuse_by_name() {
    let ann = Principal::new("ann").unwrap();
    let caller = |name: &str| Caller::granted(Principal::new(name).unwrap(), []);
    for (principal, format) in [(None, 2), (Some(ann), 3)] {
        let record = record("a", "x").of(principal.clone());
        let text = String::from_utf8(encode(&record).unwrap()).unwrap();
        assert!(text.contains(&format!(r#""format":{format},"#)), "{text}");
        let back: JobRecord = decode(text.as_bytes()).unwrap();
        assert_eq!((&back, &back.principal), (&record, &principal));
        assert_eq!(back.lets(&caller("ann")).is_ok(), principal.is_some());
        assert!(back.lets(&caller("bob")).is_err() && back.lets(&Caller::open()).is_ok());
    }
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

#[tokio::test]
async fn the_latest_events_are_kept_and_their_numbers_grow() {
    let records = Records::new(Arc::new(Objects::memory()));
    let record = record("a", "x");
    records.create(&record).await.unwrap().unwrap();
    let submitted = records.events(&record, None).await.unwrap();
    assert_eq!(submitted, [(0, Event::new(Happened::Submitted, 1))]);
    let most = super::events::EVENTS_MAX;
    for at_ms in 1..=most + 10 {
        let error = flinkspark_model::Error::new(Kind::Unavailable, "FS1001", "a full disk");
        let event = Event::new(Happened::Trouble, at_ms).because(Some(&error));
        records.note(&record.id, &event.again(3, 9)).await.unwrap();
    }
    let events = records.events(&record, None).await.unwrap();
    let numbers: Vec<u64> = events.iter().map(|(number, _)| *number).collect();
    let kept: Vec<u64> = [0].into_iter().chain(11..=most + 10).collect();
    assert_eq!(numbers, kept);
    assert!(
        events
            .iter()
            .skip(1)
            .all(|(number, event)| *number == event.at_ms)
    );
    // Asked again, only what is new comes.
    let after = records.events(&record, Some(most + 8)).await.unwrap();
    assert_eq!(after.len(), 2);
    let last = &after[1].1;
    assert_eq!((last.tries, last.next_at_ms), (3, Some(9)));
    assert_eq!(last.failure.as_ref().unwrap().error().code(), "FS1001");
}

#[tokio::test]
async fn two_who_note_at_once_lose_nothing() {
    let records = Records::new(Arc::new(Objects::memory()));
    let record = record("a", "x");
    let event = |at_ms| Event::new(Happened::Started, at_ms);
    let (one, two) = (event(1), event(2));
    let (a, b) = tokio::join!(
        records.note(&record.id, &one),
        records.note(&record.id, &two)
    );
    a.and(b).unwrap();
    assert_eq!(records.events(&record, Some(0)).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_deleted_job_is_not_found_and_leaves_nothing_but_its_name() {
    let store = Arc::new(Objects::memory());
    let records = Records::new(store.clone());
    let (gone, stays) = (record("a", "x"), record("b", "x"));
    for record in [&gone, &stays] {
        records.create(record).await.unwrap().unwrap();
        let end = End::new(Outcome::Stopped, Counts::default(), 5);
        records.finish(&record.id, 1, &end).await.unwrap();
        records.started(&record.id, 1).await.unwrap();
        let event = Event::new(Happened::Stopped, 5);
        records.note(&record.id, &event).await.unwrap();
    }
    assert!(records.delete(&gone.id).await.unwrap());
    assert!(!records.delete(&gone.id).await.unwrap());
    for _ in 0..2 {
        assert_eq!(records.get(&gone.id).await.unwrap(), None);
        let found = records.all().await.unwrap();
        assert_eq!(
            (found.records, found.damaged),
            (vec![stays.clone()], vec![])
        );
        assert!(records.is_deleted(&gone.id).await.unwrap());
        records.remove_deleted().await.unwrap();
    }
    assert!(!records.is_deleted(&stays.id).await.unwrap());
    let root = Key::new("jobs").unwrap().join(gone.id.log().0).unwrap();
    for folder in ["", "/events", "/starts"] {
        let folder = Key::new(&format!("{root}{folder}")).unwrap();
        assert_eq!(store.list(&folder).await.unwrap(), [], "{folder}");
    }
    assert!(records.get(&stays.id).await.unwrap().is_some());
}
