//! Whether one more transaction may be open in a dataset, and which one ends for it.
//!
//! Pure: the caller passes facts in and carries the answer out. Invariant: a transaction that
//! holds a receipt, or that somebody puts into, never ends for a newcomer.

use flinkspark_model::port::TxnId;
use std::collections::HashMap;

/// Transactions that may be open in one dataset.
pub const TRANSACTIONS_OPEN_MAX: usize = 1024;

/// Transactions of one dataset that one peer, a connection, may hold open.
pub const TRANSACTIONS_OPEN_PEER_MAX: usize = 512;

/// An open transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) txn: TxnId,
    /// Who began it; nobody knows after a restart.
    pub(super) peer: Option<String>,
    /// Nothing was sealed in it, and nobody puts into it now.
    pub(super) idle: bool,
    /// When it was used last, in milliseconds since the epoch; 0 where that was before the restart.
    pub(super) used_ms: u64,
}

/// What becomes of a newcomer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Admission {
    /// There is a place.
    Admit,
    /// There is one once this transaction was ended.
    End(TxnId),
    /// Every place is held by a transaction that somebody uses: so many, of so many.
    Refuse { limit: usize, of_peer: bool },
}

/// Decides over a newcomer of `peer` beside the open transactions and `reserved` others that are
/// being begun. At the dataset's limit the peer with the most transactions gives its oldest idle one.
pub(super) fn admit(open: &[Candidate], reserved: usize, peer: Option<&str>) -> Admission {
    let mut held: HashMap<Option<&str>, usize> = HashMap::new();
    for candidate in open {
        *held.entry(candidate.peer.as_deref()).or_default() += 1;
    }
    let oldest = |among: &dyn Fn(&&Candidate) -> bool| {
        open.iter()
            .filter(|candidate| candidate.idle)
            .filter(among)
            .min_by_key(|candidate| (candidate.used_ms, candidate.txn))
            .map(|candidate| candidate.txn)
    };
    let own = peer.map_or(0, |_| held.get(&peer).copied().unwrap_or(0));
    if own >= TRANSACTIONS_OPEN_PEER_MAX {
        let of_peer = oldest(&|candidate| candidate.peer.as_deref() == peer);
        return of_peer.map_or(
            Admission::Refuse {
                limit: TRANSACTIONS_OPEN_PEER_MAX,
                of_peer: true,
            },
            Admission::End,
        );
    }
    if open.len() + reserved < TRANSACTIONS_OPEN_MAX {
        return Admission::Admit;
    }
    let idle = open.iter().filter(|candidate| candidate.idle);
    let most = idle
        .filter_map(|candidate| held.get(&candidate.peer.as_deref()))
        .max();
    let of_most = oldest(&|candidate| held.get(&candidate.peer.as_deref()) == most);
    of_most.map_or(
        Admission::Refuse {
            limit: TRANSACTIONS_OPEN_MAX,
            of_peer: false,
        },
        Admission::End,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use flinkspark_model::dataset::DatasetId;
    use uuid::Uuid;

    fn candidate(n: usize, peer: Option<&str>, idle: bool) -> Candidate {
        Candidate {
            txn: txn(n),
            peer: peer.map(Into::into),
            idle,
            used_ms: n as u64,
        }
    }

    fn txn(n: usize) -> TxnId {
        TxnId {
            dataset: DatasetId(Uuid::nil()),
            id: Uuid::from_u128(n as u128),
            n: 1,
        }
    }

    fn many(peer: Option<&str>, from: usize, count: usize, idle: bool) -> Vec<Candidate> {
        (from..from + count)
            .map(|n| candidate(n, peer, idle))
            .collect()
    }

    #[test]
    fn below_the_limits_everybody_is_admitted() {
        let open = many(Some("a"), 0, TRANSACTIONS_OPEN_PEER_MAX - 1, true);
        assert_eq!(admit(&open, 0, Some("a")), Admission::Admit);
        let unknown = many(None, 0, TRANSACTIONS_OPEN_MAX - 1, true);
        assert_eq!(admit(&unknown, 0, None), Admission::Admit);
        assert_eq!(admit(&unknown, 1, None), Admission::End(txn(0)));
    }

    #[test]
    fn a_peer_at_its_limit_gives_its_own_oldest() {
        let mut open = many(Some("b"), 0, 3, true);
        open.extend(many(Some("a"), 10, TRANSACTIONS_OPEN_PEER_MAX, true));
        assert_eq!(admit(&open, 0, Some("a")), Admission::End(txn(10)));
        assert_eq!(admit(&open, 0, Some("b")), Admission::Admit);
        let busy = many(Some("a"), 0, TRANSACTIONS_OPEN_PEER_MAX, false);
        let refused = Admission::Refuse {
            limit: TRANSACTIONS_OPEN_PEER_MAX,
            of_peer: true,
        };
        assert_eq!(admit(&busy, 0, Some("a")), refused);
    }

    #[test]
    fn a_full_dataset_takes_from_whoever_holds_the_most() {
        // The one that was there first and holds one is not the one that pays.
        let mut open = many(Some("quiet"), 0, 1, true);
        for peer in 0..3 {
            let name = format!("loud {peer}");
            open.extend(many(Some(&name), 100 + peer * 400, 341, true));
        }
        assert_eq!(open.len(), TRANSACTIONS_OPEN_MAX);
        assert_eq!(admit(&open, 0, Some("new")), Admission::End(txn(100)));
    }

    #[test]
    fn what_is_used_never_ends_for_a_newcomer() {
        let mut open = many(Some("a"), 0, 400, false);
        open.extend(many(Some("b"), 400, TRANSACTIONS_OPEN_MAX - 400, false));
        open[1000].idle = true;
        assert_eq!(admit(&open, 0, Some("c")), Admission::End(txn(1000)));
        open[1000].idle = false;
        let refused = Admission::Refuse {
            limit: TRANSACTIONS_OPEN_MAX,
            of_peer: false,
        };
        assert_eq!(admit(&open, 0, Some("c")), refused);
    }
}
