//! What bytes from strangers may make the process reserve: 64 MiB and 16 times their own size, or, where
//! they are compressed, the limit of what they unpack to.
//!
//! One test in a process of its own: the allocator of this crate counts what every thread takes.

#![expect(
    clippy::unwrap_used,
    reason = "a failure of the set-up is a failure of the test"
)]

use arrow_array::builder::BinaryViewBuilder;
use arrow_array::types::Int32Type;
use arrow_array::{
    Array, ArrayRef, Int32Array, Int64Array, LargeListViewArray, NullArray, RecordBatch, RunArray,
    StringArray,
};
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{DictionaryTracker, IpcDataGenerator, IpcWriteContext, IpcWriteOptions};
use arrow_schema::Field;
use flinkspark_connector::decoders;
use flinkspark_fuzz::counting;
use flinkspark_fuzz::targets::BASE;
use std::sync::Arc;

const UNPACKED: usize = 256 << 20;

fn framed(messages: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (header, body) in messages {
        bytes.extend((header.len() as u32).to_le_bytes());
        bytes.extend((body.len() as u32).to_le_bytes());
        bytes.extend(header);
        bytes.extend(body);
    }
    bytes
}

fn messages(batch: &RecordBatch, compression: Option<CompressionType>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let options = IpcWriteOptions::default()
        .try_with_compression(compression)
        .unwrap();
    let mut tracker = DictionaryTracker::new(true);
    let generator = IpcDataGenerator::default();
    let schema =
        generator.schema_to_bytes_with_dictionary_tracker(&batch.schema(), &mut tracker, &options);
    let (_, rows) = generator
        .encode(
            batch,
            &mut tracker,
            &options,
            &mut IpcWriteContext::default(),
        )
        .unwrap();
    vec![
        (schema.ipc_message, schema.arrow_data),
        (rows.ipc_message, rows.arrow_data),
    ]
}

fn views(rows: usize, bytes: u32) -> ArrayRef {
    let mut views = BinaryViewBuilder::new();
    let block = views.append_block("x".repeat(bytes as usize).into_bytes().into());
    (0..rows).for_each(|_| views.try_append_view(block, 0, bytes).unwrap());
    Arc::new(views.finish())
}

fn list_views(rows: usize, items: ArrayRef) -> ArrayRef {
    let item = Arc::new(Field::new("item", items.data_type().clone(), true));
    let (offsets, sizes) = (vec![0_i64; rows], vec![items.len() as i64; rows]);
    Arc::new(LargeListViewArray::try_new(item, offsets.into(), sizes.into(), items, None).unwrap())
}

fn runs(rows: i32, bytes: usize) -> ArrayRef {
    let text = StringArray::from(vec!["x".repeat(bytes)]);
    Arc::new(RunArray::<Int32Type>::try_new(&Int32Array::from(vec![rows]), &text).unwrap())
}

fn encodings_are_bounded() {
    let plain = Int64Array::from_iter_values(0..200_000);
    let few: [(&str, ArrayRef, bool); 9] = [
        ("plain", Arc::new(plain), true),
        ("views that fit", views(4000, 50_000), true),
        ("views of a terabyte", views(1 << 20, 1 << 20), false),
        ("cells of views", views(200, 1 << 20), true),
        ("runs of a terabyte", runs(1 << 20, 1 << 20), false),
        ("runs that fit", runs(2000, 100_000), true),
        (
            "nulls in lists",
            list_views(1 << 16, Arc::new(NullArray::new(1 << 16))),
            false,
        ),
        (
            "numbers in lists",
            list_views(1 << 16, Arc::new(Int64Array::from(vec![7; 1 << 16]))),
            false,
        ),
        (
            "lists in lists",
            list_views(
                1 << 10,
                list_views(1 << 10, Arc::new(Int64Array::from(vec![7; 1 << 10]))),
            ),
            false,
        ),
    ];
    for (what, array, fits) in few {
        let batch = RecordBatch::try_from_iter([("a", array)]).unwrap();
        let input = framed(&messages(&batch, None));
        drop(batch);
        let mut decoded = false;
        let taken = counting::peak(usize::MAX, || {
            decoded = decoders::flight_messages(&input).is_ok()
        });
        assert_eq!(decoded, fits, "{what}");
        let limit = BASE + 16 * input.len();
        assert!(
            taken <= limit,
            "{what}: {} bytes took {taken}; the limit is {limit}",
            input.len()
        );
    }
}

fn compressed_bodies_are_bounded() {
    let zeros: ArrayRef = Arc::new(Int64Array::from(vec![0; 16 << 20]));
    for columns in [1, 2, 9] {
        let columns = (0..columns).map(|n| (format!("c{n}"), Arc::clone(&zeros)));
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let fits = batch.get_array_memory_size() / batch.num_columns().max(1) * batch.num_columns()
            <= UNPACKED;
        let input = framed(&messages(&batch, Some(CompressionType::LZ4_FRAME)));
        let mut decoded = false;
        let taken = counting::peak(usize::MAX, || {
            decoded = decoders::flight_messages(&input).is_ok()
        });
        assert!(fits || !decoded);
        let limit = UNPACKED + BASE + 16 * input.len();
        assert!(
            taken <= limit,
            "{} bytes took {taken}; the limit is {limit}",
            input.len()
        );
    }
}

fn claims_are_bounded() {
    let batch =
        RecordBatch::try_from_iter([("a", Arc::new(Int64Array::from(vec![7; 1000])) as ArrayRef)])
            .unwrap();
    let good = messages(&batch, None);
    for at in 0..good[1].0.len().saturating_sub(8) {
        for claim in [i64::MAX, 1 << 40, 1 << 33, -1] {
            let mut lie = good.clone();
            lie[1].0[at..at + 8].copy_from_slice(&claim.to_le_bytes());
            let input = framed(&lie);
            let taken = counting::peak(usize::MAX, || drop(decoders::flight_messages(&input)));
            assert!(
                taken <= BASE + 16 * input.len(),
                "{claim} at {at} took {taken}"
            );
        }
    }
    // An LZ4 buffer that states twice of what its bytes can become.
    let zeros: ArrayRef = Arc::new(Int64Array::from(vec![0; 16 << 20]));
    let batch = RecordBatch::try_from_iter([("a", zeros)]).unwrap();
    let mut lie = messages(&batch, Some(CompressionType::LZ4_FRAME));
    drop(batch);
    let body = &mut lie[1].1;
    let stated = (128_u64 << 20).to_le_bytes();
    let at = body.windows(8).position(|window| window == stated).unwrap();
    body[at..at + 8].copy_from_slice(&(256_u64 << 20).to_le_bytes());
    let input = framed(&lie);
    let taken = counting::peak(usize::MAX, || {
        assert!(decoders::flight_messages(&input).is_err())
    });
    let limit = BASE + 16 * input.len();
    assert!(taken <= limit, "{taken} bytes; the limit is {limit}");
    assert!(decoders::ticket(br#"{"columns":"0-99999999999999"}"#).is_err());
    assert_eq!(decoders::bodies(b"[[[[[["), 0);
}

#[test]
fn what_is_reserved_is_bounded_by_what_arrived() {
    encodings_are_bounded();
    compressed_bodies_are_bounded();
    claims_are_bounded();
}
