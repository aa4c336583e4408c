//! Messages that lie.

use super::*;
use crate::fit::bytes_of;
use arrow_array::builder::{BinaryViewBuilder, StringViewBuilder};
use arrow_array::types::Int32Type;
use arrow_array::{
    FixedSizeListArray, Int32Array, Int64Array, ListArray, NullArray, RecordBatchOptions, RunArray,
    StringArray,
};
use arrow_ipc::writer::{DictionaryTracker, IpcDataGenerator, IpcWriteContext, IpcWriteOptions};
use arrow_ipc::{CompressionType, FieldNode, MessageHeader, RecordBatchArgs};
use flatbuffers::FlatBufferBuilder;
use proptest::prelude::*;

fn batch() -> RecordBatch {
    let lists = (0..100).map(|n| (n % 5 != 0).then(|| (0..n % 4).map(Some).collect::<Vec<_>>()));
    let mut views = StringViewBuilder::new();
    (0..100).for_each(|n| views.append_value(format!("a view that is not inline {n}")));
    let texts = (0..100).map(|n| (n % 3 != 0).then(|| format!("row {n}")));
    let columns: [(&str, ArrayRef); 5] = [
        ("n", Arc::new(Int64Array::from_iter_values(0..100))),
        ("text", Arc::new(texts.collect::<StringArray>())),
        (
            "list",
            Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(lists)),
        ),
        ("view", Arc::new(views.finish())),
        ("null", Arc::new(NullArray::new(100))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn encode(batch: &RecordBatch, compression: Option<CompressionType>) -> (Vec<u8>, Vec<u8>) {
    let options = IpcWriteOptions::default()
        .try_with_compression(compression)
        .unwrap();
    let mut dictionaries = DictionaryTracker::new(true);
    let mut context = IpcWriteContext::default();
    let (_, data) = IpcDataGenerator::default()
        .encode(batch, &mut dictionaries, &options, &mut context)
        .unwrap();
    (data.ipc_message, data.arrow_data)
}

fn decode(schema: &SchemaRef, header: &[u8], body: &[u8]) -> Result<RecordBatch> {
    rows(
        message(header)?,
        schema,
        &HashMap::new(),
        &Buffer::from(body),
        None,
    )
}

/// The header with its numbers changed.
fn changed(
    header: &[u8],
    change: impl FnOnce(&mut i64, &mut Vec<FieldNode>, &mut Vec<arrow_ipc::Buffer>, &mut Vec<i64>),
) -> Vec<u8> {
    let message = message(header).unwrap();
    let rows = message.header_as_record_batch().unwrap();
    let mut length = rows.length();
    let mut nodes: Vec<FieldNode> = rows.nodes().unwrap().iter().copied().collect();
    let mut buffers: Vec<arrow_ipc::Buffer> = rows.buffers().unwrap().iter().copied().collect();
    let mut counts: Vec<i64> = rows.variadicBufferCounts().into_iter().flatten().collect();
    change(&mut length, &mut nodes, &mut buffers, &mut counts);
    let mut builder = FlatBufferBuilder::new();
    let nodes = builder.create_vector(&nodes);
    let buffers = builder.create_vector(&buffers);
    let counts = builder.create_vector(&counts);
    let compression = rows.compression().map(|how| {
        let arguments = arrow_ipc::BodyCompressionArgs {
            codec: how.codec(),
            method: how.method(),
        };
        arrow_ipc::BodyCompression::create(&mut builder, &arguments)
    });
    let arguments = RecordBatchArgs {
        length,
        nodes: Some(nodes),
        buffers: Some(buffers),
        compression,
        variadicBufferCounts: Some(counts),
    };
    let rows = arrow_ipc::RecordBatch::create(&mut builder, &arguments);
    let arguments = arrow_ipc::MessageArgs {
        version: message.version(),
        header_type: MessageHeader::RecordBatch,
        header: Some(rows.as_union_value()),
        bodyLength: message.bodyLength(),
        custom_metadata: None,
    };
    let root = arrow_ipc::Message::create(&mut builder, &arguments);
    builder.finish(root, None);
    builder.finished_data().to_vec()
}

#[test]
fn what_was_encoded_is_decoded_whole_and_by_columns() {
    let batch = batch();
    for compression in [
        None,
        Some(CompressionType::LZ4_FRAME),
        Some(CompressionType::ZSTD),
    ] {
        let (header, body) = encode(&batch, compression);
        assert_eq!(decode(&batch.schema(), &header, &body).unwrap(), batch);
        for columns in [vec![], vec![0], vec![1, 3], vec![2, 4]] {
            let message = message(&header).unwrap();
            let body = Buffer::from(body.as_slice());
            let known = HashMap::new();
            let some = rows(message, &batch.schema(), &known, &body, Some(&columns)).unwrap();
            assert_eq!(some, batch.project(&columns).unwrap());
        }
    }
}

#[test]
fn numbers_that_the_body_does_not_bear_out_are_refused() {
    let batch = batch();
    let (header, body) = encode(&batch, None);
    let huge = [i64::MIN, -1, 1 << 24, 1 << 40, i64::MAX];
    let (nodes, buffers) = (batch.num_columns() + 1, 12);
    for value in huge {
        let mut lies = vec![changed(&header, |length, _, _, _| *length = value)];
        for at in 0..nodes {
            lies.push(changed(&header, |_, nodes, _, _| {
                nodes[at] = FieldNode::new(value, 0)
            }));
            lies.push(changed(&header, |_, nodes, _, _| {
                nodes[at] = FieldNode::new(100, value)
            }));
            lies.push(changed(&header, |_, nodes, _, _| {
                nodes[at] = FieldNode::new(value, value)
            }));
        }
        for at in 0..buffers {
            lies.push(changed(&header, |_, _, buffers, _| {
                buffers[at] = arrow_ipc::Buffer::new(value, buffers[at].length());
            }));
            lies.push(changed(&header, |_, _, buffers, _| {
                buffers[at] = arrow_ipc::Buffer::new(buffers[at].offset(), value);
            }));
        }
        lies.push(changed(&header, |_, _, _, counts| counts[0] = value));
        for (index, lie) in lies.iter().enumerate() {
            match decode(&batch.schema(), lie, &body) {
                Err(Refusal::Damaged(_) | Refusal::TooLarge(_)) => {}
                other => panic!("lie {index} with {value}: {other:?}"),
            }
        }
    }
}

#[test]
fn a_body_is_not_counted_twice() {
    let columns = (0..64).map(|n| {
        (
            format!("c{n}"),
            Arc::new(Int64Array::from(vec![7; 4096])) as ArrayRef,
        )
    });
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let (header, body) = encode(&batch, None);
    let shared = changed(&header, |_, _, buffers, _| {
        let first = buffers[1];
        for columns in buffers.chunks_exact_mut(2) {
            columns[0] = arrow_ipc::Buffer::new(0, 0);
            columns[1] = first;
        }
    });
    let short = &body[..body.len() / 32];
    match decode(&batch.schema(), &shared, short) {
        Err(Refusal::Damaged(why)) => assert!(why.contains("its body"), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn rows_without_columns_are_counted() {
    let none = Arc::new(Schema::empty());
    let options = RecordBatchOptions::new().with_row_count(Some(7));
    let batch = RecordBatch::try_new_with_options(Arc::clone(&none), vec![], &options).unwrap();
    let (header, body) = encode(&batch, None);
    assert_eq!(decode(&none, &header, &body).unwrap().num_rows(), 7);
    for count in [ROWS_MAX as i64 + 1, 1 << 40, i64::MAX] {
        let many = changed(&header, |length, _, _, _| *length = count);
        let refused = decode(&none, &many, &body);
        assert!(matches!(refused, Err(Refusal::TooLarge(_))), "{count}");
    }
}

#[test]
fn what_views_and_runs_stand_for_is_counted_before_they_are_decoded() {
    let mut views = BinaryViewBuilder::new();
    let block = views.append_block(vec![b'x'; 1 << 20].into());
    (0..257).for_each(|_| views.try_append_view(block, 0, 1 << 20).unwrap());
    let ends = Int32Array::from(vec![RUN_ROWS_MAX as i32 + 1]);
    let runs = RunArray::<Int32Type>::try_new(&ends, &Int64Array::from(vec![7])).unwrap();
    let arrays: [ArrayRef; 2] = [Arc::new(views.finish()), Arc::new(runs)];
    for array in arrays {
        let all = RecordBatch::try_from_iter([("a", Arc::clone(&array))]).unwrap();
        let (header, body) = encode(&all, None);
        let refused = decode(&all.schema(), &header, &body);
        assert!(matches!(refused, Err(Refusal::TooLarge(_))), "{refused:?}");
        let one = all.slice(0, 1);
        let (header, body) = encode(&one, None);
        assert_eq!(decode(&one.schema(), &header, &body).unwrap(), one);
    }
}

#[test]
fn elements_without_bits_are_counted() {
    let field = |index: usize| Field::new(format!("c{index}"), DataType::Null, true);
    let nulls = (0..1000)
        .map(|_| Arc::new(NullArray::new(1)) as ArrayRef)
        .collect();
    let schema = Arc::new(Schema::new((0..1000).map(field).collect::<Vec<_>>()));
    let batch = RecordBatch::try_new(Arc::clone(&schema), nulls).unwrap();
    let (header, body) = encode(&batch, None);
    let many = changed(&header, |length, nodes, _, _| {
        *length = 1 << 20;
        nodes
            .iter_mut()
            .for_each(|node| *node = FieldNode::new(1 << 20, 1 << 20));
    });
    assert!(matches!(
        decode(&schema, &many, &body),
        Err(Refusal::TooLarge(_))
    ));
}

#[test]
fn a_compressed_buffer_unpacks_to_what_it_states() {
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![7; 50_000]));
    let batch = RecordBatch::try_from_iter([("n", numbers)]).unwrap();
    for codec in [CompressionType::LZ4_FRAME, CompressionType::ZSTD] {
        let (header, body) = encode(&batch, Some(codec));
        let stated = 400_000_i64.to_le_bytes();
        let at = body.windows(8).position(|window| window == stated);
        let at = at.unwrap();
        for lie in [8, 399_999, 400_001, 1 << 40, -2, i64::MIN] {
            let mut body = body.clone();
            body[at..at + 8].copy_from_slice(&lie.to_le_bytes());
            match decode(&batch.schema(), &header, &body) {
                Err(Refusal::Damaged(_) | Refusal::TooLarge(_)) => {}
                other => panic!("{lie}: {other:?}"),
            }
        }
        assert_eq!(decode(&batch.schema(), &header, &body).unwrap(), batch);
        // Sizes that the rows bear out: only what comes out of the buffer is another.
        let one = changed(&header, |length, nodes, _, _| {
            *length = 1;
            nodes[0] = FieldNode::new(1, 0);
        });
        for (header, lie) in [(&one, 8_i64), (&header, 400_008)] {
            let mut body = body.clone();
            body[at..at + 8].copy_from_slice(&lie.to_le_bytes());
            match decode(&batch.schema(), header, &body) {
                Err(Refusal::Damaged(why)) => assert!(why.contains("states"), "{why}"),
                other => panic!("{lie}: {other:?}"),
            }
        }
    }
}

#[test]
fn a_panic_of_a_decoder_is_a_bug_and_no_damage() {
    let column = "a";
    let caught = walled::<()>(|| panic!("column {column} is odd"));
    assert_eq!(caught, Err(Refusal::Bug("column a is odd".into())));
}

#[test]
fn big_endian_numbers_are_refused() {
    let schema = Schema::new(vec![Field::new("n", DataType::Int64, true)]);
    let mut builder = FlatBufferBuilder::new();
    let fields = arrow_ipc::convert::IpcSchemaEncoder::new().schema_to_fb(&schema);
    let little = flatbuffers::root::<arrow_ipc::Schema<'_>>(fields.finished_data()).unwrap();
    assert_eq!(schema_of(little).unwrap(), schema);
    let none = builder.create_vector::<flatbuffers::ForwardsUOffset<arrow_ipc::Field<'_>>>(&[]);
    let arguments = arrow_ipc::SchemaArgs {
        endianness: arrow_ipc::Endianness::Big,
        fields: Some(none),
        ..Default::default()
    };
    let root = arrow_ipc::Schema::create(&mut builder, &arguments);
    builder.finish(root, None);
    let big = flatbuffers::root::<arrow_ipc::Schema<'_>>(builder.finished_data()).unwrap();
    assert!(matches!(schema_of(big), Err(Refusal::Damaged(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn changed_bytes_are_decoded_or_refused_and_are_no_bug(
        flips in proptest::collection::vec((any::<u16>(), any::<u8>()), 1..6),
        packed in any::<bool>(),
        zstd in any::<bool>(),
        into_body in any::<bool>(),
    ) {
        let batch = batch();
        let codec = if zstd { CompressionType::ZSTD } else { CompressionType::LZ4_FRAME };
        let compression = packed.then_some(codec);
        let (mut header, mut body) = encode(&batch, compression);
        for (at, value) in flips {
            let bytes = if into_body { &mut body } else { &mut header };
            let at = usize::from(at) % bytes.len();
            bytes[at] ^= value;
        }
        match decode(&batch.schema(), &header, &body) {
            Err(Refusal::Bug(why)) => prop_assert!(false, "{}", why),
            Err(_) => {}
            Ok(batch) => prop_assert!(bytes_of(&batch) < 1 << 40),
        }
    }
}

#[test]
fn lists_of_one_width_that_are_longer_than_their_items_are_refused() {
    let pairs = (0..100).map(|n| Some([Some(n), None]));
    let pairs = FixedSizeListArray::from_iter_primitive::<Int32Type, _, _>(pairs, 2);
    let batch = RecordBatch::try_from_iter([("pairs", Arc::new(pairs) as ArrayRef)]).unwrap();
    let (header, body) = encode(&batch, None);
    assert_eq!(decode(&batch.schema(), &header, &body), Ok(batch.clone()));
    for length in [101, 1 << 40, i64::MAX] {
        let lie = changed(&header, |_, nodes, _, _| {
            nodes[0] = FieldNode::new(length, 0);
        });
        let refused = decode(&batch.schema(), &lie, &body);
        assert!(matches!(refused, Err(Refusal::Damaged(_))), "{refused:?}");
    }
}
