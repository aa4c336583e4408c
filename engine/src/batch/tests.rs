//! What the batch engine promises, over the in-memory log.
