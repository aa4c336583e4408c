//! Every value of the model comes back equal from the wire, bytes included.

use crate::convert::{commit_from, epoch};
use crate::v1;
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use flinkspark_model::dataset::{
    Boundedness, Changelog, Dataset, DatasetId, TimeAttribute, TimePrecision, Traits,
};
use flinkspark_model::digest::Digest;
use flinkspark_model::handle::{
    BundledHandle, FlinkHandle, FlinkMode, Handle, Partitioner, SparkHandle, StorageLevel,
};
use flinkspark_model::lineage::{Edge, SlotRange};
use flinkspark_model::log::{Commit, SegmentFormat, SegmentRef, SourceOffsets};
use flinkspark_model::name::DatasetName;
use flinkspark_model::port::{
    Change, ChangeEvent, Damaged, EventKind, Page, Reference, Registration, Update,
};
use flinkspark_model::schema::Compatibility;
use flinkspark_model::{Error, Kind};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use prost::Message;
use std::sync::Arc;

/// The columns of every generated schema; keys and the time attribute are among them.
const COLUMNS: [&str; 3] = ["id", "event_time", "tags"];

/// As a peer sees it: encoded and decoded by the generated code.
fn sent<M: Message + Default>(message: &M) -> M {
    M::decode(message.encode_to_vec().as_slice()).unwrap()
}

fn ids() -> impl Strategy<Value = DatasetId> + Clone {
    (0..1u64 << 48, any::<[u8; 10]>()).prop_map(|(ms, random)| DatasetId::from_parts(ms, random))
}

fn names() -> impl Strategy<Value = DatasetName> {
    "[A-Za-z0-9_-]{1,8}(\\.[A-Za-z0-9_-]{1,8}){0,3}".prop_map(|name| name.parse().unwrap())
}

fn schemas() -> impl Strategy<Value = Schema> {
    let units = select(vec![
        TimeUnit::Second,
        TimeUnit::Millisecond,
        TimeUnit::Microsecond,
        TimeUnit::Nanosecond,
    ]);
    (
        units,
        option::of(Just("UTC".into())),
        any::<bool>(),
        "\\PC{0,8}",
    )
        .prop_map(|(unit, zone, nullable, note)| {
            let item = Field::new("item", DataType::Decimal128(10, 2), nullable);
            let tags = Field::new(COLUMNS[2], DataType::List(item.into()), nullable);
            Schema::new(vec![
                Field::new(COLUMNS[0], DataType::Int64, false),
                Field::new(COLUMNS[1], DataType::Timestamp(unit, zone), nullable),
                tags.with_metadata([("flinkspark.note".into(), note)].into()),
            ])
        })
}

fn columns() -> impl Strategy<Value = Vec<String>> {
    vec(select(COLUMNS.map(String::from).to_vec()), 0..3)
}

fn partitioners() -> impl Strategy<Value = Partitioner> {
    (columns(), "[a-z0-9-]{0,12}", any::<u32>()).prop_map(|(keys, hash, count)| Partitioner {
        keys,
        hash,
        count,
    })
}

fn times() -> impl Strategy<Value = TimeAttribute> {
    let precision = select(vec![TimePrecision::Exact, TimePrecision::Floor]);
    (any::<u64>(), precision).prop_map(|(watermark_delay_ms, precision)| TimeAttribute {
        column: COLUMNS[1].into(),
        watermark_delay_ms,
        precision,
    })
}

fn all_traits() -> impl Strategy<Value = Traits> {
    let boundedness = select(vec![Boundedness::Bounded, Boundedness::Unbounded]);
    let changelog = select(vec![
        Changelog::Append,
        Changelog::Upsert,
        Changelog::Retract,
    ]);
    (
        boundedness,
        option::of(times()),
        columns(),
        changelog,
        option::of(partitioners()),
    )
        .prop_map(
            |(boundedness, time, primary_key, changelog, partitioning)| Traits {
                boundedness,
                time,
                primary_key,
                changelog,
                partitioning,
            },
        )
}

fn handle() -> impl Strategy<Value = Handle> {
    let modes = select(vec![FlinkMode::DataStream, FlinkMode::Table]);
    let levels = select(vec![
        StorageLevel::None,
        StorageLevel::MemoryOnly,
        StorageLevel::MemoryAndDisk,
        StorageLevel::DiskOnly,
    ]);
    prop_oneof![
        ("\\PC{1,20}", modes)
            .prop_map(|(identifier, mode)| Handle::Flink(FlinkHandle { identifier, mode })),
        ("\\PC{1,20}", option::of(partitioners()), levels).prop_map(
            |(identifier, partitioner, storage_level)| {
                Handle::Spark(SparkHandle {
                    identifier,
                    partitioner,
                    storage_level,
                })
            }
        ),
        ("\\PC{0,9}", "\\PC{0,9}")
            .prop_map(|(job, operator)| Handle::Bundled(BundledHandle { job, operator })),
    ]
}

fn handles() -> impl Strategy<Value = Vec<Handle>> {
    vec(handle(), 0..4).prop_map(|mut handles| {
        handles.sort_by_key(Handle::engine);
        handles.dedup_by_key(|handle| handle.engine());
        handles
    })
}

prop_compose! {
    fn datasets()(
        id in ids(), name in names(), versions in any::<(u64, u32)>(), schema in schemas(),
        traits in all_traits(), handles in handles(), created_at_ms in any::<u64>(),
    ) -> Arc<Dataset> {
        let (version, schema_version) = versions;
        let schema = Arc::new(schema);
        Arc::new(Dataset { id, name, version, schema_version, schema, traits, handles, created_at_ms })
    }
}

fn ranges() -> impl Strategy<Value = SlotRange> {
    (ids(), any::<u64>(), any::<u64>()).prop_map(|(dataset, a, b)| SlotRange {
        dataset,
        first: a.min(b),
        last: a.max(b),
    })
}

fn edges() -> impl Strategy<Value = Edge> {
    (ranges(), ranges(), "\\PC{0,12}").prop_map(|(from, to, run)| Edge { from, to, run })
}

fn events() -> impl Strategy<Value = ChangeEvent> {
    let kind = prop_oneof![
        datasets().prop_map(EventKind::Put),
        (ids(), names()).prop_map(|(id, name)| EventKind::Dropped { id, name }),
        (ids(), any::<u64>(), any::<u64>(), any::<Option<i64>>()).prop_map(
            |(id, head, rows, watermark_ms)| EventKind::Advanced {
                id,
                head,
                rows,
                watermark_ms
            }
        ),
        edges().prop_map(EventKind::Edge),
    ];
    (any::<u64>(), any::<u64>(), kind).prop_map(|(sequence, at_ms, kind)| ChangeEvent {
        sequence,
        at_ms,
        kind,
    })
}

fn updates() -> impl Strategy<Value = Update> {
    use Compatibility::{Backward, Forward, Full, None};
    let changes = prop_oneof![
        names().prop_map(Change::Rename),
        all_traits().prop_map(Change::Traits),
        handle().prop_map(Change::SetHandle),
    ];
    let modes = select(vec![None, Backward, Forward, Full]);
    prop_oneof![
        changes.prop_map(Update::Record),
        (schemas(), modes).prop_map(|(schema, mode)| Update::Schema {
            schema: Arc::new(schema),
            mode
        }),
    ]
}

prop_compose! {
    fn segments()(
        name in "[a-z0-9]{1,20}", at in any::<(u32, u32)>(),
        format in select(vec![SegmentFormat::Arrow, SegmentFormat::Parquet, SegmentFormat::Bytes]),
        sizes in any::<(u64, u64)>(), sum in any::<u128>(),
    ) -> SegmentRef {
        let digest = Digest { rows: sizes.0, sum };
        SegmentRef { name: name.into(), partition: at.0, attempt: at.1, format, rows: sizes.0, bytes: sizes.1, digest }
    }
}

prop_compose! {
    fn commits()(
        texts in ("\\PC{0,12}", "\\PC{0,12}"), numbers in any::<(u64, u64, u32)>(),
        offsets in btree_map("\\PC{0,9}", "\\PC{0,9}", 0..4), watermark_ms in any::<Option<i64>>(),
        checkpoint_ref in option::of("\\PC{0,9}"), lineage in vec(ranges(), 0..3), segments in vec(segments(), 0..3),
    ) -> Commit {
        let (generation, n, schema_version) = numbers;
        Commit {
            writer: texts.0.into(), generation, n, token: None, run: texts.1, source_offsets: SourceOffsets(offsets),
            schema_version, watermark_ms, checkpoint_ref, lineage, segments, manifest: None,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_dataset_comes_back_equal(dataset in datasets()) {
        let wire = sent(&v1::Dataset::try_from(dataset.as_ref()).unwrap());
        prop_assert_eq!(&Dataset::try_from(wire).unwrap(), dataset.as_ref());
    }

    #[test]
    fn a_registration_comes_back_equal(dataset in datasets()) {
        let Dataset { name, schema, traits, handles, .. } = dataset.as_ref().clone();
        let registration = Registration { name, schema, traits, handles };
        let wire = sent(&v1::RegisterRequest::try_from(&registration).unwrap());
        prop_assert_eq!(Registration::try_from(wire).unwrap(), registration);
    }

    #[test]
    fn a_page_comes_back_equal(datasets in vec(datasets(), 0..3), next in option::of(names())) {
        let damaged = datasets.iter().map(|dataset: &Arc<Dataset>| Damaged {
            id: dataset.id,
            name: dataset.name.clone(),
            error: Error::from_wire(Kind::Data, "FS1050", "it is damaged").with_detail("where"),
        });
        let page = Page { damaged: damaged.collect(), datasets, next };
        let wire = sent(&v1::ListResponse::try_from(&page).unwrap());
        prop_assert_eq!(Page::try_from(wire).unwrap(), page);
    }

    #[test]
    fn a_reference_comes_back_equal(dataset in datasets(), handle in handle()) {
        let key = handle.key();
        for reference in [Reference::Id(dataset.id), Reference::Name(dataset.name.clone()), Reference::Handle(key)] {
            let wire = sent(&v1::Reference::from(&reference));
            prop_assert_eq!(Reference::try_from(wire).unwrap(), reference);
        }
    }

    #[test]
    fn an_update_comes_back_equal(id in ids(), version in any::<u64>(), update in updates()) {
        let wire = sent(&v1::UpdateRequest::new(id, version, &update).unwrap());
        prop_assert_eq!(wire.parts().unwrap(), (id, version, update));
    }

    #[test]
    fn an_event_comes_back_equal(event in events()) {
        let wire = sent(&v1::ChangeEvent::try_from(&event).unwrap());
        prop_assert_eq!(ChangeEvent::try_from(wire).unwrap(), event);
    }

    #[test]
    fn an_epoch_comes_back_equal(slot in any::<u64>(), at_ms in any::<u64>(), commit in commits()) {
        let wire = sent(&epoch(slot, at_ms, &commit));
        prop_assert_eq!(commit_from(wire).unwrap(), (slot, at_ms, commit));
    }
}
