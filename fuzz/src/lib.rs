//! Fuzz targets: every decoder of bytes from strangers as one function of them.
//!
//! Owns the targets, the bound that each is held to, the seeds, and the mutations that know a format's structure.
//! It never decodes anything itself: a target calls the decoder that the server and the commands call, and lies
//! to it about nothing but checksums, which it makes right so that what lies behind them is reached. The driver
//! is `cargo xtask fuzz`; `tests/corpus.rs` replays the seeds and the corpus. Invariant: a target is a function of
//! its input alone, so that an input that was found once is found again.
//!
//! ```
//! use flinkspark_fuzz::targets;
//!
//! let csv = targets::named("csv").ok_or("no such target")?;
//! // A byte of options, then the file.
//! assert_eq!(csv.hold(b"\x00a,b\n1,2\n"), Ok(()));
//! # Ok::<(), &'static str>(())
//! ```

pub mod counting;
mod fixup;
pub mod mutate;
pub mod seeds;
#[cfg(feature = "sql")]
mod sql;
pub mod targets;
