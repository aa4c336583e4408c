//! The grammar by cases, and statistics against rows.

mod grammar;
mod property;
