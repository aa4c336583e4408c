//! The catalogue: a journal that is the truth, a sled index, a registry and a change feed.
