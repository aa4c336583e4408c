//! Whole-system tests and the sample jobs they run.
