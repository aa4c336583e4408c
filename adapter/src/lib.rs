//! One job, one meaning: dialects, plans, the ledger of differences, targets.
