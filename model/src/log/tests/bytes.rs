//! The slot's bytes.

use super::*;
use crate::checksum;
use crate::error::Kind;

fn record() -> SlotRecord {
    let mut commit = commit(3, 7, 70, &["a", "b"]);
    commit.manifest = Some(Manifest {
        pending: Vec::new(),
        body: "{\"line\":\"\\n\"}\n".into(),
    });
    SlotRecord {
        format: 1,
        log: LogId(uuid::Uuid::from_u128(5)),
        slot: 4,
        committed_at_ms: 1_700_000_000_000,
        principal: None,
        lists: Vec::new(),
        body: Slot::Epoch(commit),
    }
}

#[test]
fn a_slot_survives_its_bytes() {
    let bytes = record().encode().unwrap();
    assert_eq!(SlotRecord::decode(&bytes).unwrap(), record());
    assert_eq!(record().encode().unwrap(), bytes);
}

#[test]
fn every_changed_bit_is_noticed() {
    let bytes = record().encode().unwrap();
    for place in 0..bytes.len() {
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[place] ^= 1 << bit;
            let error = SlotRecord::decode(&damaged).expect_err("a changed bit");
            assert_eq!(
                (error.kind(), error.code()),
                (Kind::Data, "FS0203"),
                "byte {place} bit {bit}"
            );
        }
    }
}

#[test]
fn every_shorter_length_is_noticed() {
    let bytes = record().encode().unwrap();
    for length in 0..bytes.len() {
        assert_eq!(
            SlotRecord::decode(&bytes[..length]).unwrap_err().code(),
            "FS0203"
        );
    }
}

#[test]
fn a_newer_format_is_refused_by_name_even_if_nothing_else_is_understood() {
    let json = "{\"format\":3,\"what\":\"ever\"}";
    let bytes = format!("{json}\ncrc32c {:08x}\n", checksum::crc32c(json.as_bytes()));
    let error = SlotRecord::decode(bytes.as_bytes()).unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::Invalid, "FS0204"));
    assert!(error.to_string().contains("newer"), "{error}");
}

#[test]
fn an_unknown_field_is_no_slot_of_this_format() {
    let bytes = record().encode().unwrap();
    let text = std::str::from_utf8(&bytes).unwrap();
    let (json, _) = text.trim_end().rsplit_once('\n').unwrap();
    let json = json.replacen("{\"format\"", "{\"surprise\":1,\"format\"", 1);
    let bytes = format!("{json}\ncrc32c {:08x}\n", checksum::crc32c(json.as_bytes()));
    assert_eq!(
        SlotRecord::decode(bytes.as_bytes()).unwrap_err().code(),
        "FS0203"
    );
}

#[test]
fn a_commit_too_large_for_a_slot_is_refused() {
    let mut large = record();
    large.body = Slot::Schema {
        version: 2,
        schema: "x".repeat(16 << 20),
    };
    assert_eq!(large.encode().unwrap_err().code(), "FS0202");
}

#[test]
fn a_newer_snapshot_is_refused() {
    let view = log([fence(1, 0), epoch(1, 1)]);
    let stored = serde_json::to_string(&Snapshot::from(&view)).unwrap();
    let newer: Snapshot =
        serde_json::from_str(&stored.replacen("\"format\":1", "\"format\":2", 1)).unwrap();
    let error = View::try_from(newer).unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::Data, "FS0206"));
}

#[test]
fn a_snapshot_beyond_its_head_is_refused() {
    let view = log([fence(1, 0), epoch(1, 1)]);
    let stored = serde_json::to_string(&Snapshot::from(&view)).unwrap();
    let torn: Snapshot =
        serde_json::from_str(&stored.replacen("\"head\":2", "\"head\":1", 1)).unwrap();
    assert_eq!(View::try_from(torn).unwrap_err().code(), "FS0206");
}

#[test]
fn a_slot_that_rewrites_what_it_cannot_is_refused_and_changes_nothing() {
    let rewriting = |first, last| Slot::Replace {
        read_at: 2,
        first,
        last,
        with: Replacement::Compaction {
            segments: Vec::new(),
        },
    };
    let expiring = |through| Slot::Expire {
        read_at: 2,
        through,
    };
    let mut view = View::empty();
    let schema = Slot::Schema {
        version: 1,
        schema: String::new(),
    };
    view.apply(1, &schema).unwrap();
    view.apply(2, &expiring(1)).unwrap();
    for slot in [
        rewriting(2, 1),
        rewriting(1, 2),
        rewriting(2, 3),
        expiring(0),
        expiring(1),
        expiring(u64::MAX),
    ] {
        let before = view.clone();
        let error = view.apply(3, &slot).unwrap_err();
        assert_eq!((error.kind(), error.code()), (Kind::Data, "FS0203"));
        assert_eq!(view, before);
    }
    view.apply(3, &rewriting(2, 2)).unwrap();
}
