//! Whether a log still ends where somebody else knows that it ended.
//!
//! A log's last slots can vanish without a gap: nothing in the log itself says so. What does is a
//! second record of the same fact, such as the catalogue's. Facts in, decision out: it reads no
//! store. Invariant: a log that holds less than what was recorded of it is never taken for whole.

use super::View;
use crate::position::SlotNo;

/// What was recorded of a log elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownHead {
    /// The log's last slot.
    pub head: SlotNo,
    /// Live rows.
    pub rows: u64,
    /// The greatest committed watermark, in milliseconds since the epoch.
    pub watermark_ms: Option<i64>,
}

/// What is found in the log now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FoundTail {
    /// Its last slot.
    pub head: SlotNo,
    /// Rows and watermark as of the recorded head; `None` where the log can no longer tell.
    pub then: Option<(u64, Option<i64>)>,
}

impl FoundTail {
    /// What a view says as of `head`.
    pub fn of(view: &View, head: SlotNo) -> Self {
        let told = head <= view.head() && view.horizon() == 0;
        let then = told.then(|| {
            let epochs = view.as_of(1, head);
            let segments = epochs.iter().flat_map(|epoch| &epoch.segments);
            let watermark = epochs.iter().filter_map(|epoch| epoch.watermark_ms).max();
            (segments.map(|segment| segment.rows).sum(), watermark)
        });
        Self {
            head: view.head(),
            then,
        }
    }
}

/// How what is found compares with what was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// Nothing has happened since.
    Same,
    /// The log has grown since: the record is to be caught up.
    Ahead,
    /// Slots are gone: what the log shows is not all that was committed.
    Lost {
        /// The last slot that was recorded.
        known: SlotNo,
        /// The last slot that is there.
        found: SlotNo,
    },
    /// The recorded slot is there, and it is another one's: its number was taken a second time.
    Differs {
        /// The recorded slot.
        head: SlotNo,
        /// Rows as recorded.
        known_rows: u64,
        /// Rows as found.
        found_rows: u64,
    },
}

/// Compares a log's tail with what was recorded of it.
pub fn judge_tail(known: &KnownHead, found: &FoundTail) -> Tail {
    if found.head < known.head {
        return Tail::Lost {
            known: known.head,
            found: found.head,
        };
    }
    match found.then {
        Some((found_rows, watermark_ms))
            if (found_rows, watermark_ms) != (known.rows, known.watermark_ms) =>
        {
            Tail::Differs {
                head: known.head,
                known_rows: known.rows,
                found_rows,
            }
        }
        _ if found.head > known.head => Tail::Ahead,
        _ => Tail::Same,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_is_judged_by_what_was_recorded_of_it() {
        let known = |head, rows, watermark_ms| KnownHead {
            head,
            rows,
            watermark_ms,
        };
        let found = |head, then| FoundTail { head, then };
        let (lost, differs) = (
            |known, found| Tail::Lost { known, found },
            |head, known_rows, found_rows| Tail::Differs {
                head,
                known_rows,
                found_rows,
            },
        );
        for (recorded, there, verdict) in [
            (known(6, 300, None), found(6, Some((300, None))), Tail::Same),
            (known(6, 300, None), found(5, None), lost(6, 5)),
            (known(6, 300, None), found(0, None), lost(6, 0)),
            (
                known(6, 300, None),
                found(6, Some((250, None))),
                differs(6, 300, 250),
            ),
            (
                known(6, 300, None),
                found(6, Some((350, None))),
                differs(6, 300, 350),
            ),
            (
                known(6, 300, None),
                found(9, Some((300, None))),
                Tail::Ahead,
            ),
            (
                known(6, 300, None),
                found(9, Some((299, None))),
                differs(6, 300, 299),
            ),
            (
                known(6, 300, Some(5)),
                found(6, Some((300, Some(5)))),
                Tail::Same,
            ),
            (
                known(6, 300, Some(5)),
                found(6, Some((300, Some(4)))),
                differs(6, 300, 300),
            ),
            (
                known(6, 300, Some(5)),
                found(6, Some((300, None))),
                differs(6, 300, 300),
            ),
            // Where the log has expired its past, only its end is left to compare.
            (known(6, 300, None), found(6, None), Tail::Same),
            (known(6, 300, None), found(7, None), Tail::Ahead),
            (known(0, 0, None), found(0, Some((0, None))), Tail::Same),
            (known(0, 0, None), found(2, Some((0, None))), Tail::Ahead),
            (
                known(u64::MAX, 1, None),
                found(u64::MAX - 1, None),
                lost(u64::MAX, u64::MAX - 1),
            ),
        ] {
            assert_eq!(
                judge_tail(&recorded, &there),
                verdict,
                "{recorded:?} {there:?}"
            );
        }
    }
}
