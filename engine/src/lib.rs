//! The bundled engines, streaming and batch, both Arrow-native.
//!
//! Owns running: subtasks, state, checkpoints. Never parses SQL and never opens a file, a socket
//! or a store: logs, clocks and randomness come in through `flinkspark_model::port`, programs come
//! from the adapter. Invariant: both engines give the same multiset of rows for one program and
//! one input, less the rows that the stream reports as late.
//!
//! ```
//! use arrow_schema::{DataType, Field, Schema, TimeUnit};
//! use flinkspark_engine::expr::aggregate::Function;
//! use flinkspark_engine::stream::JobGraph;
//! use flinkspark_engine::stream::program::{Aggregate, EventTime, Program, Sink, Source, Tumble};
//! use flinkspark_model::dataset::{DatasetId, TimePrecision};
//! use std::sync::Arc;
//!
//! let time = Field::new("at", DataType::Timestamp(TimeUnit::Millisecond, None), false);
//! let program = Program::from(Source {
//!     uid: "source".into(),
//!     dataset: DatasetId::from_parts(0, [1; 10]),
//!     name: "clicks".into(),
//!     schema: Arc::new(Schema::new(vec![time])),
//!     columns: None,
//!     time: Some(EventTime { column: 0, watermark_delay_ms: 0, precision: TimePrecision::Exact }),
//!     through: None,
//! })?
//! .tumble("minutes", Tumble {
//!     time: 0,
//!     precision: TimePrecision::Exact,
//!     size_ms: 60_000,
//!     offset_ms: 0,
//!     keys: vec![],
//!     aggregates: vec![Aggregate { function: Function::CountStar, argument: None, name: "clicks".into() }],
//!     late_to: None,
//! })?;
//! let schema = Arc::clone(program.schema());
//! let program = program.sink(Sink {
//!     uid: "sink".into(),
//!     dataset: DatasetId::from_parts(0, [2; 10]),
//!     name: "clicks_by_minute".into(),
//!     schema,
//! })?;
//! let graph = JobGraph::new(&program, 2, 1)?;
//! assert!(graph.to_string().contains("exchange everything to one subtask"));
//! // `stream::Options::build` and `Job::run` run it over the logs behind `model::port::Datasets`.
//! # Ok::<(), flinkspark_model::Error>(())
//! ```

pub mod batch;
pub mod expr;
pub mod stream;
