//! Texts: JSON bodies, records, slots, names and statements.
//!
//! Invariant: each is taken by the decoder that it is for.

use super::Failure;
use flinkspark_model::log::{SlotRecord, Snapshot, View};
use flinkspark_model::schema;
use serde_json::Value;

/// One input for each line.
pub(super) fn lines(text: &str) -> Vec<Vec<u8>> {
    text.lines().map(Vec::from).collect()
}

/// What a ticket says.
pub(super) const TICKETS: &str = r#"{"dataset":"00000000-0000-7000-8000-000000000001","schema_version":1,"slot":2,"segment":0,"name":"p0-a0-x","first_row":0,"rows":3,"columns":null,"profile":"generic","lossy":"refuse","expires_at_ms":1764000000000}
{"dataset":"00000000-0000-7000-8000-000000000001","schema_version":1,"slot":2,"segment":0,"name":"p0-a0-x","more":[[3,0],[3,1]],"first_row":0,"rows":3,"columns":"0-9,12,3","profile":"spark4","lossy":"string","expires_at_ms":1}
{"dataset":"00000000-0000-7000-8000-000000000001","schema_version":1,"slot":2,"segment":0,"name":"p0-a0-x","first_row":18446744073709551615,"rows":0,"columns":[0,2,1],"profile":"flink2","lossy":"truncate","expires_at_ms":0}"#;

/// Descriptors, actions and closing messages.
pub(super) const BODIES: &str = r#"{"dataset":"a","filter":{"and":[{"eq":{"column":"integer","value":-7}},{"or":[{"lt":{"column":"decimal","value":"-1.50"}},{"in":{"column":"text","values":["é",null]}},{"prefix":{"column":"binary","value":"AP8="}}]},{"not":{"is_null":{"column":"date"}}},{"ge":{"column":"instant","value":"2026-11-28T09:30:00.25+05:30"}},{"le":{"column":"local","value":"1969-12-31 23:59"}},{"ne":{"column":"time","value":"00:00:00.000001"}},{"gt":{"column":"float","value":"NaN"}},{"le":{"column":"date","value":"-0001-02-28"}}]}}
{"dataset":"web.clicks","columns":["user","at"],"slots":{"first":1,"last":7},"profile":"spark4","lossy":"refuse"}
{"txn":"00000000000070008000000000000001.00000000000070008000000000000002.1","partition":0,"attempt":0}
{"rows":3,"digest":"v1:3:0123456789abcdef0123456789abcdef"}
{"rows":3,"receipt":{"segment":{"name":"p0-a0-x","partition":0,"attempt":0,"format":"arrow","rows":3,"bytes":100,"digest":"v1:3:0123456789abcdef0123456789abcdef"},"signature":"AAAA"}}
{"rows":3,"committed":{"txn":"00000000000070008000000000000001.00000000000070008000000000000002.1","dataset":"00000000-0000-7000-8000-000000000001","mode":"append","state":"committed","slot":3,"rows":3,"bytes":16,"digest":"v1:3:0123456789abcdef0123456789abcdef","replayed":true,"same_rows":true}}
{"dataset":"web.clicks","id":"load-2026-11-21","mode":"replace"}
{"txn":"00000000000070008000000000000001.00000000000070008000000000000002.1","receipts":[{"segment":{"name":"p0-a0-x","partition":0,"attempt":0,"format":"arrow","rows":3,"bytes":100,"digest":"v1:3:0123456789abcdef0123456789abcdef"},"signature":"AAAA"}]}
{"txn":"00000000000070008000000000000001.00000000000070008000000000000002.1"}
{"dataset":"flink:default_catalog.default_database.clicks"}
{"ticket":"AQIDBA==","expires_at_ms":1764000000000}"#;

/// Small records of the store, each without its checksum.
pub(super) const RECORDS: &str = r#"{"format":1,"record":"text"}
{"format":1,"record":{"dataset":"00000000-0000-7000-8000-000000000001","name":"web.clicks","version":3,"dropped_at_ms":1764000000000}}
{"format":1,"record":{"txn":"00000000000070008000000000000001.00000000000070008000000000000002.1","mode":"append","schema":"{\"version\":1,\"fields\":[]}","schema_version":1,"read_at":4,"begun_at_ms":1764000000000,"lease_ms":3600000}}
{"format":2,"record":{}}"#;

/// Names, handles, references, digests and the like.
pub(super) const NAMES: &str = "web.clicks
spark:spark_catalog.WEB.clicks
flink:default_catalog.default_database.clicks
bundled:job/operator
00000000-0000-7000-8000-000000000001
00000000000070008000000000000001.00000000000070008000000000000002.1
v1:3:0123456789abcdef0123456789abcdef
spark4
backward";

/// The slots of one log, as many as it has kinds of them.
const SLOTS: &str = r#"{"format":1,"log":"07070707-0707-0707-0707-070707070707","slot":1,"committed_at_ms":0,"body":{"schema":{"version":1,"schema":"{\"version\":1,\"fields\":[]}"}}}
{"format":1,"log":"07070707-0707-0707-0707-070707070707","slot":2,"committed_at_ms":0,"body":{"fence":{"writer":"w","generation":1,"restored":0,"rewind":false,"incarnation":"i"}}}
{"format":1,"log":"07070707-0707-0707-0707-070707070707","slot":3,"committed_at_ms":0,"body":{"epoch":{"writer":"w","generation":1,"n":1,"run":"r","source_offsets":{"a":"3"},"schema_version":1,"watermark_ms":5,"checkpoint_ref":null,"lineage":[{"dataset":"00000000-0000-7000-8000-000000000001","first":1,"last":2}],"segments":[{"name":"p0-a0-x","partition":0,"attempt":0,"format":"arrow","rows":3,"bytes":100,"digest":"v1:3:0123456789abcdef0123456789abcdef"}]}}}
{"format":1,"log":"07070707-0707-0707-0707-070707070707","slot":4,"committed_at_ms":0,"body":{"abort":{"writer":"w","generation":1,"n":2,"segments":["p0-a0-y"]}}}
{"format":1,"log":"07070707-0707-0707-0707-070707070707","slot":5,"committed_at_ms":0,"body":{"replace":{"read_at":4,"first":1,"last":4,"with":{"compaction":{"segments":[{"name":"p0-a0-z","partition":0,"attempt":0,"format":"arrow","rows":3,"bytes":90,"digest":"v1:3:0123456789abcdef0123456789abcdef"}]}}}}}
{"format":1,"log":"07070707-0707-0707-0707-070707070707","slot":6,"committed_at_ms":0,"body":{"epoch":{"writer":"w","generation":1,"n":3,"run":"r","source_offsets":{},"schema_version":1,"segments":[],"manifest":{"pending":[{"log":"07070707-0707-0707-0707-070707070707","commit":{"writer":"v","generation":1,"n":1,"run":"r","source_offsets":{},"schema_version":1,"segments":[]}}],"body":"{}"}}}}
{"format":1,"log":"07070707-0707-0707-0707-070707070707","slot":7,"committed_at_ms":0,"body":{"replace":{"read_at":6,"first":1,"last":6,"with":{"overwrite":{"writer":"w","generation":1,"n":4,"run":"r","source_offsets":{},"schema_version":1,"segments":[]}}}}}
{"format":1,"log":"07070707-0707-0707-0707-070707070707","slot":8,"committed_at_ms":0,"body":{"expire":{"read_at":7,"through":6}}}"#;

/// The whole log, and each of its slots.
pub(super) fn slots() -> Vec<Vec<u8>> {
    let mut all = lines(SLOTS);
    all.push(SLOTS.into());
    all
}

/// The log as it stood after each slot.
pub(super) fn snapshots() -> Result<Vec<Vec<u8>>, Failure> {
    let mut view = View::empty();
    let mut all = Vec::new();
    for line in SLOTS.lines() {
        let record: SlotRecord = serde_json::from_str(line)?;
        view.apply(record.slot, &record.body)?;
        all.push(serde_json::to_vec(&Snapshot::from(&view))?);
    }
    Ok(all)
}

/// Payloads of the journal, as many as it has kinds of them.
const PAYLOADS: &str = r#"{"v":1,"at_ms":5,"event":{"put":{"inline":{"id":"00000000-0000-7000-8000-000000000001","name":"web.clicks","version":1,"schema_version":1,"schema":SCHEMA,"traits":{"boundedness":"unbounded","time":{"column":"ts_ms","watermark_delay_ms":5000,"precision":"floor"},"primary_key":["i64"],"changelog":"upsert","partitioning":null},"handles":[{"engine":"flink","identifier":"c.d.t","mode":"table"},{"engine":"spark","identifier":"c.d.t","partitioner":null,"storage_level":"NONE"}],"created_at_ms":4}}}}
{"v":2,"at_ms":5,"event":{"put":{"external":{"sha256":"00","bytes":3,"label":{"id":"00000000-0000-7000-8000-000000000001","name":"web.clicks","handles":[]}}}}}
{"v":1,"at_ms":5,"event":{"dropped":{"id":"00000000-0000-7000-8000-000000000001","name":"web.clicks"}}}
{"v":1,"at_ms":5,"event":{"advanced":{"id":"00000000-0000-7000-8000-000000000001","head":3,"rows":7,"watermark_ms":null}}}
{"v":1,"at_ms":5,"event":{"edge":{"from":{"dataset":"00000000-0000-7000-8000-000000000001","first":1,"last":2},"to":{"dataset":"00000000-0000-7000-8000-000000000002","first":1,"last":1},"run":"r"}}}"#;

/// Journals: of each record, of all, of a group that was interrupted, and of none.
pub(super) fn journals() -> Result<Vec<Vec<u8>>, Failure> {
    let batch = super::columns::plain()?.into_iter();
    let batch = arrow_array::RecordBatch::try_from_iter(batch)?;
    let text = PAYLOADS.replace("SCHEMA", &schema::to_json(&batch.schema())?);
    let payloads: Vec<&str> = text.lines().collect();
    let mut all = vec![journal(&[], 0)];
    all.extend(payloads.iter().map(|payload| journal(&[payload], 1)));
    all.push(journal(&payloads, payloads.len() as u64));
    let mut torn = journal(&payloads, 1);
    torn.truncate(torn.len() - 20);
    all.push(torn);
    Ok(all)
}

/// A journal whose checksums the target makes right.
fn journal(payloads: &[&str], mark: u64) -> Vec<u8> {
    let mut bytes = b"FLSPJRNL\x01\0\0\0\x01\0\0\0\0\0\0\0".to_vec();
    bytes.extend([9; 16]);
    bytes.extend([0; 4]);
    for _ in 0..2 {
        bytes.extend(mark.to_le_bytes());
        bytes.extend([0; 4]);
    }
    for (sequence, payload) in (1_u64..).zip(payloads) {
        bytes.extend((payload.len() as u32).to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend(sequence.to_le_bytes());
        bytes.extend(1_u64.to_le_bytes());
        bytes.extend(payload.as_bytes());
    }
    bytes
}

/// Every statement whose answer the tests know, and the shipped jobs.
pub(super) fn statements() -> Result<Vec<Vec<u8>>, Failure> {
    let files = [
        include_str!("../../../bridge/tests/data/flink-2.3.0-answers.jsonl"),
        include_str!("../../../integration-tests/data/probes.jsonl"),
        include_str!("../../../integration-tests/data/probes-more.jsonl"),
    ];
    let jobs = [
        include_str!("../../../integration-tests/jobs/busy_origins.sql"),
        include_str!("../../../integration-tests/jobs/departures_by_origin.sql"),
        include_str!("../../../integration-tests/jobs/hourly_departures.sql"),
        "SELECT b,i1,i2,i4,i8,f4,f8,d,dd,s,x,`day`,tm,ts,tz,arr,`row` FROM t",
        "SELECT t.i4 FROM t LEFT JOIN u ON t.i4 = u.i4 WHERE u.s LIKE 'a%' AND NOT EXISTS (SELECT 1 FROM u WHERE u.i8 = t.i8)",
        "INSERT INTO o SELECT `user`, COUNT(*) FROM TABLE(TUMBLE(TABLE web.clicks, DESCRIPTOR(`at`), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end, `user`",
    ];
    let mut all: Vec<Vec<u8>> = jobs.map(Vec::from).into();
    for line in files.iter().flat_map(|file| file.lines()) {
        let probe: Value = serde_json::from_str(line)?;
        all.extend(probe["flink_sql"].as_str().map(Vec::from));
    }
    all.sort();
    all.dedup();
    Ok(all)
}
