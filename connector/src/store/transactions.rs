//! Transactions.

use flinkspark_model::log::Ordinal;
use uuid::Uuid;

/// A transaction's identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TxnId {
    /// Its writer.
    pub(super) id: Uuid,
    /// Its number.
    pub(super) n: Ordinal,
}
