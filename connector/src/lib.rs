//! Moves datasets: formats, the dataset log's stores, Arrow Flight.

pub mod administration;
mod blocking;
pub mod decoders;
pub mod evolution;
mod filter;
mod fit;
pub mod flight;
pub mod format;
mod ipc;
pub mod store;
pub mod transfer;
