//! Runs blocking work off the runtime's threads.
//!
//! Invariant: work that was started runs to its end, even if nobody waits for it any more.

use flinkspark_model::{Error, Kind, Result};

/// Runs `work` on a thread that may block. A panic there is `Internal`, not a hang.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|cause| {
            Err(Error::new(Kind::Internal, "FS1020", "a worker stopped")
                .with_source(cause)
                .with_hint("report it with the server's log"))
        })
}
