//! Errors on their way through DataFusion and back.
//!
//! Invariant: an error of ours that passes through a plan keeps its kind, code and text.

use super::memory::OTHERS_HOLD;
use datafusion::error::DataFusionError;
use flinkspark_model::{Error, Kind};

/// Wraps an error of ours for DataFusion.
pub(super) fn wrap(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// Finds our error inside DataFusion's, or makes one of what the plan ran into.
pub(super) fn unwrap(error: &DataFusionError) -> Error {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = cause {
        if let Some(ours) = current.downcast_ref::<Error>() {
            return ours.clone();
        }
        cause = match current.downcast_ref::<DataFusionError>() {
            Some(DataFusionError::External(inner)) => Some(inner.as_ref()),
            Some(DataFusionError::Shared(inner)) => Some(inner.as_ref()),
            Some(DataFusionError::Context(_, inner)) => Some(inner.as_ref()),
            _ => current.source(),
        };
    }
    if let DataFusionError::ResourcesExhausted(why) = error.find_root() {
        return out_of_memory(why);
    }
    Error::new(Kind::Data, "FS0702", "the job failed on a row")
        .with_detail(error.find_root().to_string())
        .with_hint("filter the rows that its expressions do not accept; nothing was committed")
}

fn out_of_memory(why: &str) -> Error {
    if why.ends_with(OTHERS_HOLD) {
        return Error::new(Kind::Unavailable, "FS0030", "the memory budget is spent")
            .with_detail(why.to_owned())
            .with_hint(
                "try again when other work has ended, or give the process more with --memory",
            );
    }
    Error::new(
        // Not `Unavailable`: the same plan again would ask for the same memory again.
        Kind::Invalid,
        "FS0701",
        "the batch engine ran out of its memory budget",
    )
    .with_detail(why.to_owned())
    .with_hint("lower --parallelism, or give the server more with --memory")
}
