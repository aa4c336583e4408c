//! Wide, many, large and slow: what goes to the limits and comes back.

use super::read::raw;
use super::*;
use crate::fit;
use crate::flight::decode::{Decoded, Decoder};
use crate::store::tests::columns::{column, types};
use arrow_array::builder::BinaryViewBuilder;
use arrow_array::{Array, ArrayRef, BooleanArray, Int32Array, RunArray};
use arrow_select::concat::concat_batches;
use flinkspark_model::Kind;
use flinkspark_model::digest::digest;
use flinkspark_model::log::{Commit, Intent, SegmentFormat, SourceOffsets};
use flinkspark_model::port::{Datasets, SegmentSpec};
use futures::TryStreamExt;
use std::time::Duration;

/// Puts the batch into a dataset of its own schema and reads it back.
async fn there_and_back(
    bridge: &Bridge,
    name: &str,
    batch: &RecordBatch,
) -> Result<Vec<RecordBatch>> {
    bridge.fake.dataset_named(name, batch.schema()).await;
    let txn = bridge.begin(name).await;
    let command = PutCommand {
        txn: txn.clone(),
        partition: 0,
        attempt: 0,
    };
    let rows = stream::iter([Ok(batch.clone())]).boxed();
    let receipt = bridge
        .client
        .put(&command, &batch.schema(), rows, &|_| {})
        .await?;
    bridge.client.commit(&txn, vec![receipt]).await?;
    let info = bridge.client.info(&whole(name)).await?;
    bridge.client.get(&info).try_collect().await
}

#[tokio::test]
async fn every_type_goes_over_the_wire_and_comes_back() {
    let bridge = bridge().await;
    for (index, data_type) in types().into_iter().enumerate() {
        let schema = Arc::new(Schema::new(vec![Field::new("a", data_type.clone(), true)]));
        for rows in [0, 7, 257, 8193] {
            let what = format!("{rows} rows of {data_type}");
            let columns = vec![column(&data_type, rows)];
            let batch = RecordBatch::try_new(Arc::clone(&schema), columns).unwrap();
            let got = there_and_back(&bridge, &format!("d{index}.r{rows}"), &batch).await;
            let got = got.unwrap_or_else(|error| panic!("{what}: {error}"));
            let plain = fit::plain_schema(&schema);
            let given = fit::apply(&batch, &plain).unwrap();
            assert_eq!(concat_batches(&plain, &got).unwrap(), given, "{what}");
        }
    }
}

#[tokio::test]
async fn ten_thousand_columns_go_over_the_wire_and_are_chosen() {
    let bridge = bridge().await;
    let columns = (0..10_000).map(|n| {
        (
            format!("column {n}"),
            Arc::new(BooleanArray::from(vec![n % 3 == 0; 9])) as ArrayRef,
        )
    });
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let got = there_and_back(&bridge, "wide", &batch).await.unwrap();
    assert_eq!(
        digest(&batch.schema(), &got).unwrap(),
        digest(&batch.schema(), [&batch]).unwrap()
    );
    let backwards: Vec<usize> = (0..10_000).rev().collect();
    let names = backwards.iter().map(|n| format!("column {n}")).collect();
    let command = ReadCommand {
        columns: Some(names),
        ..whole("wide")
    };
    let info = bridge.client.info(&command).await.unwrap();
    let got: Vec<RecordBatch> = bridge.client.get(&info).try_collect().await.unwrap();
    let wanted = batch.project(&backwards).unwrap();
    assert_eq!(concat_batches(&wanted.schema(), &got).unwrap(), wanted);
}

#[tokio::test]
async fn a_cell_above_the_limit_is_refused_and_one_below_comes_back() {
    let bridge = bridge().await;
    for (mebibytes, code) in [(31, None), (33, Some("FS0426"))] {
        let texts = StringArray::from(vec!["x".repeat(mebibytes << 20)]);
        let batch = RecordBatch::try_from_iter([("a", Arc::new(texts) as ArrayRef)]).unwrap();
        let name = format!("cell{mebibytes}");
        match there_and_back(&bridge, &name, &batch).await {
            Ok(got) => assert_eq!((code, &got), (None, &vec![batch])),
            Err(error) => assert_eq!((error.kind(), Some(error.code())), (Kind::Invalid, code)),
        }
    }
}

#[test]
fn views_and_runs_that_stand_for_terabytes_are_refused_unmade() {
    let mut views = BinaryViewBuilder::new();
    let block = views.append_block("x".repeat(1 << 20).into_bytes().into());
    (0..1 << 20).for_each(|_| views.try_append_view(block, 0, 1 << 20).unwrap());
    let views: ArrayRef = Arc::new(views.finish());
    let text = StringArray::from(vec!["x".repeat(1 << 20)]);
    let ends = Int32Array::from(vec![1 << 20]);
    let runs = RunArray::<arrow_array::types::Int32Type>::try_new(&ends, &text).unwrap();
    // arrow itself would look at every byte of every text.
    for (array, sent_as) in [
        (Arc::clone(&views), DataType::BinaryView),
        (views, DataType::Utf8View),
        (Arc::new(runs.clone()), runs.data_type().clone()),
    ] {
        let schema = Schema::new(vec![Field::new("a", sent_as, true)]);
        let batch = RecordBatch::try_from_iter([("a", array)]).unwrap();
        let mut decoder = Decoder::default();
        decoder.decode(encode::schema(&schema, None)).unwrap();
        let message = Encoder::new().encode(&batch).unwrap();
        let refused = match decoder.decode(message) {
            Err(error) => error,
            Ok(Decoded::Batch(batch, _)) => wire::pieces(&batch).unwrap_err(),
            Ok(_) => panic!("no rows"),
        };
        assert_eq!(refused.code(), "FS0407");
    }
}

/// Commits so many segments of one row as one epoch.
async fn many_segments(bridge: &Bridge, name: &str, count: u32) {
    let dataset = bridge.fake.dataset_named(name, schema()).await;
    let log = bridge.fake.dataset(dataset.id, schema()).await.unwrap();
    let fence = Intent::Fence {
        writer: "w".into(),
        generation: 1,
        restored: 0,
        rewind: false,
        drops: false,
        incarnation: "one".into(),
    };
    log.append(fence).await.unwrap();
    let mut segments = Vec::new();
    for partition in 0..count {
        let spec = SegmentSpec {
            partition,
            attempt: 0,
            format: SegmentFormat::Arrow,
            schema: schema(),
            job: None,
        };
        let mut writer = log.stage(spec).await.unwrap();
        writer.write(&rows(partition.into(), 1)).await.unwrap();
        segments.push(writer.seal().await.unwrap().segment);
    }
    let commit = Commit {
        writer: "w".into(),
        generation: 1,
        n: 1,
        token: None,
        run: "test".into(),
        source_offsets: SourceOffsets::of("in", 1),
        schema_version: 1,
        watermark_ms: None,
        checkpoint_ref: None,
        lineage: Vec::new(),
        segments,
        manifest: None,
    };
    log.append(Intent::Commit(commit)).await.unwrap();
}

#[tokio::test]
async fn more_partitions_than_endpoints_are_refused_and_each_can_be_read() {
    let bridge = bridge().await;
    let count = limits::ENDPOINTS_MAX as u32 + 600;
    many_segments(&bridge, "many", count).await;
    let error = bridge.client.info(&whole("many")).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::Invalid, "FS0445"));
    for partition in [0, 7, count - 1] {
        let command = ReadCommand {
            partition: Some(partition),
            ..whole("many")
        };
        let endpoint = bridge.client.ticket(&command).await.unwrap();
        let got: Vec<_> = bridge
            .client
            .read(&endpoint)
            .await
            .unwrap()
            .try_collect()
            .await
            .unwrap();
        assert_eq!(got.len(), 1);
        assert_eq!(got[0].0, rows(partition.into(), 1));
    }
    let command = ReadCommand {
        limit: Some(3),
        partition: Some(2),
        ..whole("many")
    };
    let info = bridge.client.info(&command).await.unwrap();
    assert_eq!((info.endpoints.len(), info.metadata.rows), (1, 1));
}

#[tokio::test]
async fn a_reader_that_stood_still_goes_on_where_it_was() {
    let bridge = bridge().await;
    bridge.fake.dataset_named("slow", schema()).await;
    bridge.commit("slow", &[rows(0, 1_000_000)]).await;
    let command = ReadCommand {
        partition: Some(0),
        ..whole("slow")
    };
    let endpoint = bridge.client.ticket(&command).await.unwrap();
    let ticket = arrow_flight::Ticket::new(endpoint.ticket);
    let mut client = raw(&bridge).await;
    let mut messages = client.do_get(ticket).await.unwrap().into_inner();
    let mut decoder = Decoder::default();
    let mut got = Vec::new();
    while let Some(message) = messages.message().await.unwrap() {
        if let Decoded::Batch(batch, _) = decoder.decode(message).unwrap() {
            got.push(batch);
        }
        if [2, 9].contains(&got.len()) {
            tokio::time::sleep(Duration::from_millis(1300)).await;
        }
    }
    assert_eq!(concat_batches(&schema(), &got).unwrap(), rows(0, 1_000_000));
}
