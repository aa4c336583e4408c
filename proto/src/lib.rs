//! The public API flinkspark.v1: generated code and conversions to the model.

pub mod error;
