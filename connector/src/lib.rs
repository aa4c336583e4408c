//! Moves datasets: formats, the dataset log's stores, Arrow Flight.

pub mod evolution;
pub mod flight;
pub mod format;
pub mod store;
pub mod transfer;
