//! The contract of [`Catalog`], run on each index.

use super::*;
use flinkspark_model::Kind;
use flinkspark_model::dataset::{TimeAttribute, Traits};
use flinkspark_model::handle::Engine;
use flinkspark_model::lineage::{Edge, SlotRange};
use flinkspark_model::port::{Change, EventKind, Heads, Reference};

type Maker = fn(&Path) -> Options;

/// Runs a clause of the contract on each implementation.
fn each(clause: impl AsyncFn(&Catalogue)) {
    for maker in [with_sled as Maker, in_memory] {
        let dir = tempfile::tempdir().unwrap();
        let catalogue = open(&maker(dir.path())).unwrap();
        block_on(clause(&catalogue));
    }
}

fn by(text: &str) -> Reference {
    text.parse().unwrap()
}

#[test]
fn a_dataset_is_found_by_id_by_name_and_by_each_handle() {
    each(async |catalogue| {
        let made = catalogue
            .register(registration("web.clicks"))
            .await
            .unwrap();
        assert_eq!((made.version, made.schema_version), (1, 1));
        assert_eq!(made.id.0.get_version_num(), 7);
        for reference in [
            made.id.to_string().as_str(),
            "web.clicks",
            "flink:default_catalog.default_database.web_clicks",
            "spark:SPARK_CATALOG.default.Web_Clicks",
        ] {
            assert_eq!(
                catalogue.lookup(&by(reference)).await.unwrap(),
                made,
                "{reference}"
            );
        }
        for reference in [
            "Web.clicks",
            "flink:default_catalog.default_database.Web_clicks",
            "spark:a.b.c",
        ] {
            let error = catalogue.lookup(&by(reference)).await.unwrap_err();
            assert_eq!(
                (error.kind(), error.code()),
                (Kind::NotFound, "FS0512"),
                "{reference}"
            );
        }
    });
}

#[test]
fn a_taken_name_or_handle_is_a_conflict_and_leaves_nothing() {
    each(async |catalogue| {
        catalogue.register(registration("a.b")).await.unwrap();
        let name = catalogue.register(registration("a.b")).await.unwrap_err();
        assert_eq!((name.kind(), name.code()), (Kind::Conflict, "FS0510"));
        let mut other = registration("c");
        other.handles = registration("a.b").handles;
        let handle = catalogue.register(other).await.unwrap_err();
        assert_eq!((handle.kind(), handle.code()), (Kind::Conflict, "FS0511"));
        assert!(catalogue.lookup(&by("c")).await.is_err());
        assert_eq!(catalogue.sequence(), 1);
    });
}

#[test]
fn a_record_that_contradicts_itself_is_refused() {
    each(async |catalogue| {
        let mut two_handles = registration("a");
        two_handles
            .handles
            .push(Handle::spark_table("x.y.z").unwrap());
        let mut no_column = registration("a");
        no_column.traits.primary_key = vec!["absent".into()];
        for bad in [two_handles, no_column] {
            assert_eq!(catalogue.register(bad).await.unwrap_err().code(), "FS0104");
        }
        assert_eq!(catalogue.sequence(), 0);
    });
}

#[test]
fn a_listing_comes_in_name_order_and_pages() {
    each(async |catalogue| {
        for name in ["b", "a.c", "a", "a.b", "ab"] {
            catalogue.register(registration(name)).await.unwrap();
        }
        let (mut names, mut after) = (Vec::new(), None);
        loop {
            let page = catalogue.list("a", after.as_ref(), 2).await.unwrap();
            names.push(
                page.datasets
                    .iter()
                    .map(|dataset| dataset.name.to_string())
                    .collect::<Vec<_>>(),
            );
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(names, [vec!["a", "a.b"], vec!["a.c", "ab"]]);
        assert!(
            catalogue
                .list("zz", None, 5)
                .await
                .unwrap()
                .datasets
                .is_empty()
        );
        assert_eq!(
            catalogue.list("", None, 0).await.unwrap_err().code(),
            "FS0515"
        );
    });
}

#[test]
fn a_stale_writer_is_told_which_version_won() {
    each(async |catalogue| {
        let made = catalogue.register(registration("a")).await.unwrap();
        let rename = |name: &str| Change::Rename(name.parse().unwrap());
        let moved = catalogue.update(made.id, 1, rename("b")).await.unwrap();
        assert_eq!((moved.version, moved.name.as_str()), (2, "b"));
        for stale in [
            catalogue.update(made.id, 1, rename("c")).await.unwrap_err(),
            catalogue.drop_dataset(made.id, 1).await.unwrap_err(),
        ] {
            assert_eq!((stale.kind(), stale.code()), (Kind::Conflict, "FS0513"));
            assert!(stale.detail().unwrap().contains("version 2 won"), "{stale}");
        }
        assert_eq!(catalogue.lookup(&by("b")).await.unwrap(), moved);
    });
}

#[test]
fn a_renamed_dataset_frees_its_name_at_once() {
    each(async |catalogue| {
        let a = catalogue.register(registration("a")).await.unwrap();
        let mut other = registration("other");
        other.handles.clear();
        catalogue.register(other).await.unwrap();
        let taken = catalogue
            .update(a.id, 1, Change::Rename("other".parse().unwrap()))
            .await
            .unwrap_err();
        assert_eq!(taken.code(), "FS0510");
        catalogue
            .update(a.id, 1, Change::Rename("b".parse().unwrap()))
            .await
            .unwrap();
        assert!(catalogue.lookup(&by("a")).await.is_err());
        let mut again = registration("a");
        again.handles.clear();
        let again = catalogue.register(again).await.unwrap();
        assert_ne!(again.id, a.id);
        assert_eq!(
            catalogue
                .lookup(&by("spark:spark_catalog.default.a"))
                .await
                .unwrap()
                .id,
            a.id
        );
    });
}

#[test]
fn the_record_follows_the_schema_that_its_log_has_in_force() {
    each(async |catalogue| {
        let made = catalogue.register(registration("a")).await.unwrap();
        let mut fields: Vec<Field> = schema()
            .fields()
            .iter()
            .map(|field| (**field).clone())
            .collect();
        fields.push(Field::new("extra", DataType::Int64, true));
        let wider = Arc::new(Schema::new(fields));
        let follow = |version| Change::Schema {
            schema: Arc::clone(&wider),
            version,
        };
        // The log may be several versions ahead.
        let changed = catalogue.update(made.id, 1, follow(3)).await.unwrap();
        assert_eq!(
            (changed.version, changed.schema_version, &changed.schema),
            (2, 3, &wider)
        );
        for old in [1, 3] {
            let same = catalogue.update(made.id, 2, follow(old)).await.unwrap();
            assert_eq!(same, changed, "what it knows already changes nothing");
        }
    });
}

#[test]
fn a_watcher_never_sees_what_a_lookup_does_not_know() {
    each(async |catalogue| {
        let writing = async {
            for n in 0..200 {
                catalogue
                    .register(registration(&format!("w{n}")))
                    .await
                    .unwrap();
            }
        };
        let watching = async {
            let mut since = 0;
            while since < 200 {
                for event in catalogue.watch(since, 64).await.unwrap() {
                    since = event.sequence;
                    if let EventKind::Put(dataset) = event.kind {
                        let found = catalogue.lookup(&Reference::Id(dataset.id)).await;
                        assert_eq!(found.unwrap().name, dataset.name);
                    }
                }
            }
        };
        futures::join!(writing, watching);
    });
}

#[test]
fn traits_and_handles_change_and_a_change_to_the_same_changes_nothing() {
    each(async |catalogue| {
        let made = catalogue.register(registration("a")).await.unwrap();
        let time = TimeAttribute {
            column: "at".into(),
            watermark_delay_ms: 5,
            precision: Default::default(),
        };
        let traits = Traits {
            time: Some(time),
            ..Default::default()
        };
        let timed = catalogue
            .update(made.id, 1, Change::Traits(traits.clone()))
            .await
            .unwrap();
        assert_eq!((timed.version, &timed.traits), (2, &traits));
        assert_eq!(
            catalogue
                .update(made.id, 2, Change::Traits(traits))
                .await
                .unwrap(),
            timed
        );
        assert_eq!(catalogue.sequence(), 2);

        let handle = Handle::spark_table("x.y.z").unwrap();
        let handled = catalogue
            .update(made.id, 2, Change::SetHandle(handle.clone()))
            .await
            .unwrap();
        assert_eq!(handled.handle(Engine::Spark), Some(&handle));
        assert_eq!(handled.handles.len(), 2);
        assert_eq!(
            catalogue.lookup(&by("spark:X.Y.Z")).await.unwrap().id,
            made.id
        );
        assert!(
            catalogue
                .lookup(&by("spark:spark_catalog.default.a"))
                .await
                .is_err()
        );
        let b = catalogue.register(registration("b")).await.unwrap();
        let taken = catalogue
            .update(b.id, 1, Change::SetHandle(handle))
            .await
            .unwrap_err();
        assert_eq!(taken.code(), "FS0511");
    });
}

#[test]
fn a_dropped_dataset_is_gone_and_its_lineage_stays() {
    each(async |catalogue| {
        let a = catalogue.register(registration("a")).await.unwrap();
        let b = catalogue.register(registration("b")).await.unwrap();
        let range = |dataset, first, last| SlotRange {
            dataset,
            first,
            last,
        };
        let edge = Edge {
            from: range(a.id, 1, 3),
            to: range(b.id, 1, 1),
            run: "r1".into(),
        };
        let next = Edge {
            from: range(a.id, 4, 4),
            to: range(b.id, 2, 2),
            run: "r1".into(),
        };
        for edge in [&edge, &next, &edge] {
            catalogue.add_edge(edge.clone()).await.unwrap();
        }
        assert_eq!(catalogue.sequence(), 4, "a known edge changes nothing");
        let backwards = Edge {
            from: range(a.id, 3, 1),
            ..edge.clone()
        };
        assert_eq!(
            catalogue.add_edge(backwards).await.unwrap_err().code(),
            "FS0515"
        );
        catalogue.drop_dataset(a.id, 1).await.unwrap();
        for reference in ["a", "spark:spark_catalog.default.a", &a.id.to_string()] {
            assert_eq!(
                catalogue.lookup(&by(reference)).await.unwrap_err().code(),
                "FS0512"
            );
        }
        for id in [a.id, b.id] {
            assert_eq!(
                catalogue.edges(id).await.unwrap(),
                [edge.clone(), next.clone()]
            );
        }
        assert_eq!(
            catalogue.drop_dataset(a.id, 1).await.unwrap_err().code(),
            "FS0512"
        );
        catalogue.register(registration("a")).await.unwrap();
    });
}

#[test]
fn a_log_only_advances() {
    each(async |catalogue| {
        let a = catalogue.register(registration("a")).await.unwrap();
        assert_eq!(catalogue.known_head(a.id).unwrap(), None);
        catalogue.advance(a.id, 3, 30, Some(-1)).await.unwrap();
        catalogue.advance(a.id, 3, 99, None).await.unwrap();
        catalogue.advance(a.id, 2, 20, None).await.unwrap();
        let known = catalogue.known_head(a.id).unwrap().unwrap();
        assert_eq!(
            (known.head, known.rows, known.watermark_ms),
            (3, 30, Some(-1))
        );
        assert_eq!(catalogue.sequence(), 2);
        assert_eq!(
            catalogue.lookup(&by("a")).await.unwrap().version,
            1,
            "the record itself does not change"
        );
    });
}

#[test]
fn the_feed_replays_and_then_follows() {
    each(async |catalogue| {
        let a = catalogue.register(registration("a")).await.unwrap();
        catalogue.advance(a.id, 1, 10, None).await.unwrap();
        let (waited, ()) = tokio::join!(
            async {
                let replayed = catalogue.watch(0, 100).await.unwrap();
                assert_eq!(
                    replayed
                        .iter()
                        .map(|event| event.sequence)
                        .collect::<Vec<_>>(),
                    [1, 2]
                );
                assert_eq!(replayed[0].kind, EventKind::Put(Arc::clone(&a)));
                assert_eq!(catalogue.watch(1, 100).await.unwrap(), replayed[1..]);
                assert_eq!(catalogue.watch(0, 1).await.unwrap(), replayed[..1]);
                catalogue.watch(2, 100).await.unwrap()
            },
            async {
                tokio::time::sleep(Duration::from_millis(30)).await;
                catalogue.drop_dataset(a.id, 1).await.unwrap();
            }
        );
        assert_eq!(waited.len(), 1);
        assert_eq!(
            waited[0].kind,
            EventKind::Dropped {
                id: a.id,
                name: "a".parse().unwrap()
            }
        );
        let beyond = catalogue.watch(4, 1).await.unwrap_err();
        assert_eq!((beyond.kind(), beyond.code()), (Kind::Data, "FS0509"));
    });
}

#[test]
fn everything_is_there_again_after_reopening_in_pages_of_any_size() {
    for maker in [with_sled as Maker, in_memory] {
        let dir = tempfile::tempdir().unwrap();
        let catalogue = open(&maker(dir.path())).unwrap();
        let before = block_on(async {
            let a = catalogue.register(registration("a")).await.unwrap();
            for head in 1..300 {
                catalogue
                    .advance(a.id, head, head * 10, None)
                    .await
                    .unwrap();
            }
            history(&catalogue).await
        });
        drop(catalogue);
        let catalogue = open(&maker(dir.path())).unwrap();
        block_on(async {
            assert_eq!(history(&catalogue).await, before);
            for start in [0, 1, 62, 63, 64, 65, 127, 128, 250, 299] {
                for limit in [1, 7, 64, 1000] {
                    let end = before.len().min(start + limit);
                    assert_eq!(
                        catalogue.watch(start as u64, limit).await.unwrap(),
                        before[start..end]
                    );
                }
            }
            assert_eq!(
                catalogue
                    .known_head(catalogue.lookup(&by("a")).await.unwrap().id)
                    .unwrap()
                    .unwrap()
                    .head,
                299
            );
        });
    }
}

#[test]
fn a_schema_too_wide_for_a_record_is_kept_in_a_file_of_its_own() {
    for maker in [with_sled as Maker, in_memory] {
        let dir = tempfile::tempdir().unwrap();
        let wide = Registration {
            schema: wide_schema(3000),
            ..registration("wide")
        };
        let catalogue = open(&maker(dir.path())).unwrap();
        let made = block_on(catalogue.register(wide)).unwrap();
        let renamed =
            block_on(catalogue.update(made.id, 1, Change::Rename("wider".parse().unwrap())))
                .unwrap();
        drop(catalogue);
        assert!(std::fs::metadata(dir.path().join("journal")).unwrap().len() < 1000);
        let catalogue = open(&maker(dir.path())).unwrap();
        assert_eq!(block_on(catalogue.lookup(&by("wider"))).unwrap(), renamed);
        assert_eq!(
            block_on(catalogue.list("", None, 9)).unwrap().datasets,
            [renamed]
        );
        assert!(block_on(catalogue.lookup(&by("wide"))).is_err());
    }
}

#[test]
fn a_schema_whose_names_no_query_could_tell_apart_is_refused() {
    for maker in [with_sled as Maker, in_memory] {
        let dir = tempfile::tempdir().unwrap();
        let catalogue = open(&maker(dir.path())).unwrap();
        let twice = |name: &str| {
            let more = Field::new(name, DataType::Utf8, true);
            let before = schema();
            let fields = before.fields().iter().cloned().chain([more.into()]);
            Arc::new(Schema::new(fields.collect::<Vec<_>>()))
        };
        for (schema, code) in [
            (twice("user"), "FS0122"),
            (twice(""), "FS0124"),
            (twice("a\nb"), "FS0125"),
            (wide_schema(10_001), "FS0127"),
        ] {
            let refused = Registration {
                schema,
                ..registration("refused")
            };
            let error = block_on(catalogue.register(refused)).unwrap_err();
            assert_eq!(error.code(), code);
        }
        assert_eq!(catalogue.sequence(), 0);
        let cased = Registration {
            schema: twice("USER"),
            ..registration("cased")
        };
        assert!(block_on(catalogue.register(cased)).is_ok());
    }
}

#[test]
fn changes_that_wait_together_share_one_sync() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FailingDisk::from_operation(usize::MAX, Duration::from_millis(10));
    let catalogue = Arc::new(open_on(&in_memory(dir.path()), Arc::new(disk.clone())).unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let before = disk.syncs();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..400)
            .map(|n| {
                let catalogue = Arc::clone(&catalogue);
                tokio::spawn(
                    async move { catalogue.register(registration(&format!("d{n}"))).await },
                )
            })
            .collect();
        for task in tasks {
            task.await.unwrap().unwrap();
        }
    });
    let syncs = disk.syncs() - before;
    assert!(syncs <= 100, "{syncs} syncs for 400 changes");
    assert_eq!(catalogue.sequence(), 400);
}

#[test]
fn changes_of_one_dataset_that_wait_together_see_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FailingDisk::from_operation(usize::MAX, Duration::from_millis(20));
    let catalogue = open_on(&with_sled(dir.path()), Arc::new(disk.clone())).unwrap();
    block_on(async {
        let made = catalogue.register(registration("n0")).await.unwrap();
        let before = disk.syncs();
        let rename = |n: u64| {
            let change = Change::Rename(format!("n{n}").parse().unwrap());
            catalogue.update(made.id, n, change)
        };
        let renamed = futures::future::join_all((1..20).map(rename)).await;
        for (n, answer) in (1..20u64).zip(renamed) {
            let answer = answer.unwrap();
            assert_eq!(
                (answer.version, answer.name.as_str()),
                (n + 1, format!("n{n}").as_str())
            );
        }
        assert!(disk.syncs() - before <= 10, "they waited together");
        let last = catalogue.lookup(&by("n19")).await.unwrap();
        assert_eq!((last.id, last.version), (made.id, 20));
        assert!(catalogue.lookup(&by("n18")).await.is_err());
    });
    let before = block_on(history(&catalogue));
    drop(catalogue);
    let catalogue = open(&with_sled(dir.path())).unwrap();
    assert_eq!(block_on(history(&catalogue)), before);
    assert_eq!(block_on(catalogue.lookup(&by("n19"))).unwrap().version, 20);
}

#[test]
fn one_of_two_that_race_for_a_name_wins() {
    each(async |catalogue| {
        let (a, b) = tokio::join!(
            catalogue.register(registration("a")),
            catalogue.register(registration("a"))
        );
        assert_eq!(u8::from(a.is_ok()) + u8::from(b.is_ok()), 1);
        assert_eq!(a.and(b).unwrap_err().code(), "FS0510");
    });
}

#[test]
fn a_second_process_is_told_that_the_folder_is_held() {
    for maker in [with_sled as Maker, in_memory] {
        let dir = tempfile::tempdir().unwrap();
        let first = open(&maker(dir.path())).unwrap();
        let error = open(&maker(dir.path())).err().unwrap();
        assert_eq!((error.kind(), error.code()), (Kind::Unavailable, "FS0501"));
        drop(first);
        open(&maker(dir.path())).unwrap();
    }
}
