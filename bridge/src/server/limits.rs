//! What the process may use, and how much of it goes to connections.
//!
//! Invariant: connections never take all descriptors: files are left for the store and the jobs.

use super::connections::Limits;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::time::Duration;

/// Connections to the gRPC port, at most.
const GRPC_MAX: u64 = 4096;
/// Connections to the HTTP port, at most.
const HTTP_MAX: u64 = 256;

/// Raises the soft limit on open files to the hard one; returns what is allowed now.
pub(super) fn raise_open_files() -> u64 {
    let before = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: before.maximum,
        ..before
    };
    if before.current != before.maximum {
        match setrlimit(Resource::Nofile, raised) {
            Ok(()) => tracing::info!(
                before = before.current,
                now = raised.current,
                "raised the limit on open files"
            ),
            Err(error) => tracing::warn!(%error, "the limit on open files could not be raised"),
        }
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// What the gRPC port allows where so many files may be open.
pub(super) fn grpc(open_files: u64) -> Limits {
    Limits {
        connections_max: share(open_files / 2, GRPC_MAX),
        first_bytes: Duration::from_secs(10),
        silence: Duration::from_secs(60),
        idle: Duration::from_secs(5),
    }
}

/// What the HTTP port allows.
pub(super) fn http(open_files: u64) -> Limits {
    Limits {
        connections_max: share(open_files / 8, HTTP_MAX),
        first_bytes: Duration::from_secs(10),
        silence: Duration::from_secs(30),
        idle: Duration::from_secs(1),
    }
}

fn share(of: u64, most: u64) -> usize {
    usize::try_from(of.clamp(1, most)).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_files() {
        for (files, grpc_max, http_max) in [
            (64, 32, 8),
            (1024, 512, 128),
            (1 << 20, 4096, 256),
            (0, 1, 1),
            (u64::MAX, 4096, 256),
        ] {
            let most = |limits: Limits| limits.connections_max;
            assert_eq!((most(grpc(files)), most(http(files))), (grpc_max, http_max));
        }
        assert!(raise_open_files() >= 64);
    }
}
