//! Moves datasets: formats, the dataset log's stores, Arrow Flight.
