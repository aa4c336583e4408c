//! Commits of many segments.

use super::*;
use crate::error::Kind;

fn record(segments: usize) -> SlotRecord {
    let names: Vec<String> = (0..segments).map(|n| format!("s{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    SlotRecord {
        format: SLOT_FORMAT_VERSION,
        log: LogId(uuid::Uuid::nil()),
        slot: 7,
        committed_at_ms: 9,
        principal: None,
        lists: Vec::new(),
        body: Slot::Epoch(commit(1, 1, 10, &names)),
    }
}

#[test]
fn a_record_survives_its_lists_at_every_border() {
    for segments in [
        0,
        1,
        SLOT_SEGMENTS_MAX,
        SLOT_SEGMENTS_MAX + 1,
        LIST_SEGMENTS_MAX,
        LIST_SEGMENTS_MAX + 1,
        2 * LIST_SEGMENTS_MAX + 1,
    ] {
        let whole = record(segments);
        let (outlined, lists) = whole.outlined().unwrap();
        let expected = if segments <= SLOT_SEGMENTS_MAX {
            0
        } else {
            segments.div_ceil(LIST_SEGMENTS_MAX)
        };
        assert_eq!(lists.len(), expected, "{segments}");
        let bytes = outlined.encode().unwrap();
        assert!(bytes.len() < 100_000, "{segments}: {}", bytes.len());
        let read = SlotRecord::decode(&bytes).unwrap();
        let lists: Vec<&[u8]> = lists.iter().map(|(_, bytes)| bytes.as_slice()).collect();
        assert_eq!(read.inlined(&lists).unwrap(), whole, "{segments}");
    }
}

#[test]
fn a_changed_list_is_damage() {
    let (outlined, lists) = record(300).outlined().unwrap();
    for at in [0, 40, lists[0].1.len() - 1] {
        let mut bytes = lists[0].1.clone();
        bytes[at] ^= 1;
        let error = outlined.clone().inlined(&[bytes]).unwrap_err();
        assert_eq!((error.kind(), error.code()), (Kind::Data, "FS0203"));
    }
}

#[test]
fn a_commit_beyond_its_limit_is_refused_by_name() {
    let error = record(COMMIT_SEGMENTS_MAX + 1).outlined().unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::Invalid, "FS0202"));
}
