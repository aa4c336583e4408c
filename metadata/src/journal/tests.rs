//! The journal's reader against damage of every kind.

use super::*;
use crate::disk::LocalDisk;
use std::path::Path;

/// Three groups, five records; nothing about them is special.
const GROUPS: [&[&str]; 3] = [
    &["first"],
    &["second", "third, a little longer", "4"],
    &["fifth"],
];

fn make(dir: &Path) -> Journal {
    let mut journal = Unread::create(&LocalDisk, dir, [5; 16])
        .unwrap()
        .recover(0)
        .unwrap();
    for group in GROUPS {
        journal
            .append(
                &group
                    .iter()
                    .map(|text| text.as_bytes().to_vec())
                    .collect::<Vec<_>>(),
            )
            .unwrap();
    }
    journal
}

fn texts() -> Vec<String> {
    GROUPS
        .concat()
        .iter()
        .map(|text| text.to_string())
        .collect()
}

/// Opens the journal and reads it whole through the feed.
fn read(dir: &Path, high_water: u64) -> Result<Vec<String>> {
    let unread = Unread::open(&LocalDisk, dir)?.expect("a journal");
    let journal = unread.recover(high_water)?;
    let mut payloads = Vec::new();
    let feed = journal.feed();
    let records = feed.records();
    feed.read(feed.first() - 1, usize::MAX, &mut |place, payload| {
        assert_eq!(place.sequence, payloads.len() as u64 + 1);
        assert_eq!(records.get(place)?, payload);
        payloads.push(String::from_utf8(payload.to_vec()).unwrap());
        Ok(())
    })?;
    Ok(payloads)
}

fn write(dir: &Path, bytes: &[u8]) {
    std::fs::write(dir.join(FILE_NAME), bytes).unwrap();
}

/// A group after the last one, as a process that died before its sync leaves it.
fn unacknowledged(journal: &Journal) -> Vec<u8> {
    let payloads = ["sixth", "seventh", "eighth"].map(|text| text.as_bytes().to_vec());
    journal.encode_group(&payloads).unwrap().0
}

#[test]
fn records_are_read_as_they_were_appended() {
    let dir = tempfile::tempdir().unwrap();
    let journal = make(dir.path());
    assert_eq!(
        (
            journal.last(),
            journal.feed().first(),
            journal.feed().last()
        ),
        (5, 1, 5)
    );
    drop(journal);
    assert_eq!(read(dir.path(), 5).unwrap(), texts());
    assert_eq!(
        Unread::open(&LocalDisk, dir.path())
            .unwrap()
            .unwrap()
            .mark(),
        5
    );
}

#[test]
fn a_mark_kept_elsewhere_shows_that_records_are_missing() {
    let dir = tempfile::tempdir().unwrap();
    drop(make(dir.path()));
    let error = read(dir.path(), 6).unwrap_err();
    assert_eq!(
        (error.kind(), error.code()),
        (flinkspark_model::Kind::Data, "FS0504")
    );
}

#[test]
fn a_damaged_record_whose_mark_was_lost_is_noticed_by_the_groups_behind_it() {
    let dir = tempfile::tempdir().unwrap();
    drop(make(dir.path()));
    let mut bytes = std::fs::read(dir.path().join(FILE_NAME)).unwrap();
    // As after a loss of power in which neither mark reached the disk.
    bytes[..HEADER_BYTES as usize].copy_from_slice(&Header::new(1, [5; 16]).encode());
    write(dir.path(), &bytes);
    assert_eq!(read(dir.path(), 0).unwrap(), texts());
    bytes[..HEADER_BYTES as usize].copy_from_slice(&Header::new(1, [5; 16]).encode());
    let second = bytes
        .windows(6)
        .position(|window| window == b"second")
        .unwrap();
    bytes[second] ^= 1;
    write(dir.path(), &bytes);
    let error = read(dir.path(), 0).unwrap_err();
    assert_eq!(error.code(), "FS0503");
    assert!(
        error.detail().unwrap().contains("record 5 follows"),
        "{error}"
    );
}

#[test]
fn a_place_that_leads_elsewhere_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let feed = make(dir.path()).feed();
    let mut places = Vec::new();
    let mut note = |place: Place, _: &[u8]| {
        places.push(place);
        Ok(())
    };
    feed.read(0, 9, &mut note).unwrap();
    let place = places[1];
    assert_eq!(Place::decode(&place.encode()), Some(place));
    assert_eq!(feed.records().get(place).unwrap(), b"second");
    for wrong in [
        Place {
            sequence: 3,
            ..place
        },
        Place {
            offset: place.offset + 1,
            ..place
        },
        Place {
            offset: 1 << 40,
            ..place
        },
        Place {
            bytes: place.bytes - 1,
            ..place
        },
        Place {
            bytes: place.bytes + 1,
            ..place
        },
        Place {
            bytes: u32::MAX,
            ..place
        },
    ] {
        assert_eq!(
            feed.records().get(wrong).unwrap_err().kind(),
            flinkspark_model::Kind::Data,
            "{wrong:?}"
        );
    }
}

#[test]
fn a_journal_that_cannot_take_a_failed_write_back_takes_nothing_more() {
    let dir = tempfile::tempdir().unwrap();
    let disk = crate::tests::FailingDisk::from_operation(usize::MAX, Default::default());
    let mut journal = Unread::create(&disk, dir.path(), [5; 16])
        .unwrap()
        .recover(0)
        .unwrap();
    journal.append(&[b"kept".to_vec()]).unwrap();
    disk.fail_from_now();
    let failed = journal.append(&[b"lost".to_vec()]).unwrap_err();
    assert_eq!(
        (failed.kind(), failed.code()),
        (flinkspark_model::Kind::InDoubt, "FS0505")
    );
    let operations = disk.operations();
    let refused = journal.append(&[b"more".to_vec()]).unwrap_err();
    assert_eq!(
        (refused.kind(), refused.code()),
        (flinkspark_model::Kind::Unavailable, "FS0506")
    );
    assert_eq!(
        disk.operations(),
        operations,
        "nothing is tried without being asked for"
    );
    assert_eq!(journal.feed().last(), 1);
    assert_eq!(read(dir.path(), 1).unwrap(), ["kept"]);
}

#[test]
fn what_cannot_be_read_is_given_up_only_by_a_salvage_that_keeps_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    drop(make(dir.path()));
    let whole = std::fs::read(dir.path().join(FILE_NAME)).unwrap();
    let mut bytes = whole.clone();
    let third = bytes
        .windows(5)
        .position(|window| window == b"third")
        .unwrap();
    bytes[third] ^= 1;
    write(dir.path(), &bytes);
    assert_eq!(read(dir.path(), 0).unwrap_err().code(), "FS0503");
    assert_eq!(salvage(&LocalDisk, dir.path(), [6; 16]).unwrap(), 2);
    assert_eq!(read(dir.path(), 0).unwrap(), texts()[..2]);
    assert_eq!(
        std::fs::read(dir.path().join("journal.bad-1")).unwrap(),
        bytes
    );
}

mod enumeration {
    use super::*;

    #[test]
    fn every_flipped_byte_is_harmless_or_a_typed_error() {
        let dir = tempfile::tempdir().unwrap();
        drop(make(dir.path()));
        let whole = std::fs::read(dir.path().join(FILE_NAME)).unwrap();
        let mut refused = 0;
        for at in 0..whole.len() {
            for mask in [0x01, 0x80, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] ^= mask;
                write(dir.path(), &bytes);
                match read(dir.path(), 0) {
                    Ok(payloads) => assert_eq!(payloads, texts(), "byte {at} mask {mask}"),
                    Err(error) => {
                        assert!(
                            ["FS0502", "FS0503", "FS0504"].contains(&error.code()),
                            "byte {at}: {error}"
                        );
                        refused += 1;
                    }
                }
            }
        }
        // Only the older mark may be damaged without a complaint.
        assert!(
            refused >= 3 * (whole.len() - 24),
            "{refused} of {}",
            3 * whole.len()
        );
    }

    #[test]
    fn every_cut_into_acknowledged_records_is_a_typed_error() {
        let dir = tempfile::tempdir().unwrap();
        drop(make(dir.path()));
        let whole = std::fs::read(dir.path().join(FILE_NAME)).unwrap();
        for length in 0..whole.len() {
            write(dir.path(), &whole[..length]);
            let error = read(dir.path(), 0).unwrap_err();
            assert_eq!(
                error.kind(),
                flinkspark_model::Kind::Data,
                "length {length}"
            );
            assert!(
                ["FS0503", "FS0504"].contains(&error.code()),
                "length {length}: {error}"
            );
            assert_eq!(
                std::fs::metadata(dir.path().join(FILE_NAME)).unwrap().len() as usize,
                length,
                "nothing is cut"
            );
        }
    }

    #[test]
    fn every_cut_into_an_unacknowledged_group_leaves_its_whole_records() {
        let dir = tempfile::tempdir().unwrap();
        let tail = unacknowledged(&make(dir.path()));
        let whole = std::fs::read(dir.path().join(FILE_NAME)).unwrap();
        let mut counts = std::collections::BTreeSet::new();
        for length in 0..=tail.len() {
            write(dir.path(), &[&whole[..], &tail[..length]].concat());
            let payloads = read(dir.path(), 5).unwrap();
            assert_eq!(payloads[..5], texts());
            assert_eq!(
                payloads[5..],
                ["sixth", "seventh", "eighth"][..payloads.len() - 5]
            );
            counts.insert(payloads.len());
            // What was served is acknowledged from then on, and the next change follows it.
            let mut journal = Unread::open(&LocalDisk, dir.path())
                .unwrap()
                .unwrap()
                .recover(0)
                .unwrap();
            assert_eq!(journal.last(), payloads.len() as u64);
            journal.append(&[b"next".to_vec()]).unwrap();
            drop(journal);
            assert_eq!(
                read(dir.path(), 0).unwrap(),
                [payloads, vec!["next".into()]].concat()
            );
        }
        assert_eq!(counts.into_iter().collect::<Vec<_>>(), [5, 6, 7, 8]);
    }

    #[test]
    fn every_flipped_byte_of_an_unacknowledged_group_cuts_it_there() {
        let dir = tempfile::tempdir().unwrap();
        let tail = unacknowledged(&make(dir.path()));
        let whole = std::fs::read(dir.path().join(FILE_NAME)).unwrap();
        for at in 0..tail.len() {
            let mut torn = tail.clone();
            torn[at] ^= 0xff;
            write(dir.path(), &[&whole[..], &torn].concat());
            let payloads = read(dir.path(), 5).unwrap();
            assert!((5..8).contains(&payloads.len()), "byte {at}");
            assert_eq!(payloads[..5], texts());
        }
    }

    #[test]
    fn garbage_behind_the_records_is_cut_and_never_read() {
        for garbage in [
            vec![0; 1],
            vec![0; 5000],
            vec![0xff; 5000],
            b"length of a torn write".to_vec(),
        ] {
            let dir = tempfile::tempdir().unwrap();
            drop(make(dir.path()));
            let whole = std::fs::read(dir.path().join(FILE_NAME)).unwrap();
            write(dir.path(), &[&whole[..], &garbage].concat());
            assert_eq!(read(dir.path(), 5).unwrap(), texts());
            assert_eq!(
                std::fs::read(dir.path().join(FILE_NAME)).unwrap().len(),
                whole.len()
            );
        }
    }
}
