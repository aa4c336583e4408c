//! Both bundled engines over real logs in memory, wired as the server wires them.

#![expect(
    clippy::unwrap_used,
    reason = "a failure of the set-up is a failure of the test"
)]

mod batch;
mod conformance;
mod fixture;
mod order;
mod time;
mod types;
