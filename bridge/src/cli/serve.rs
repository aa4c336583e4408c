//! `flinkspark serve`: runs the server until it is told to stop.

use crate::config::{Overrides, Resolved};
use crate::server::Server;
use crate::workers::{STACK_BYTES, no_threads};
use flinkspark_model::{Error, Kind, Result};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Serves until SIGTERM or Ctrl-C; jobs are suspended, not drained.
pub(super) fn run(overrides: &Overrides) -> Result<()> {
    let resolved = Resolved::load(overrides)?;
    let config = &resolved.config;
    let filter = EnvFilter::try_new(&config.log).map_err(|cause| {
        Error::new(
            Kind::Invalid,
            "FS0016",
            format!("\"{}\" is not a log filter", config.log.escape_debug()),
        )
        .with_source(cause)
        .with_hint("for example warn,flinkspark=info")
    })?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_stack_size(STACK_BYTES)
        .enable_all()
        .build()
        .map_err(no_threads)?;
    let served = runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).map_err(no_threads)?;
        let server = Server::start(resolved).await?;
        eprintln!(
            "flinkspark is ready: gRPC on {}, HTTP on {}",
            server.grpc(),
            server.http()
        );
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        server.stop().await
    });
    runtime.shutdown_background();
    served
}
