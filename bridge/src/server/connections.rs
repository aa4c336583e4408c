//! Takes connections: a limited number of them, and none that says nothing.
//!
//! A connection that sends nothing at first, or nothing for long, is closed; a living peer answers
//! HTTP/2's pings. When there are too many, the one that has been idle longest makes room. Never
//! interprets a byte. Invariant: whoever comes while others idle gets in.

use crate::metrics::Metrics;
use flinkspark_model::Result;
use futures::task::AtomicWaker;
use prometheus::{IntCounterVec, IntGaugeVec, Opts};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, Sleep};

/// Bytes of an HTTP/2 ping and its answer: a message of this size is no sign of use.
const PING_BYTES: usize = 2 * 17;
/// The pause after a connection could not be accepted, as where descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What a port allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// Connections at once.
    pub(super) connections_max: usize,
    /// How long a peer may take until it has sent its first bytes.
    pub(super) first_bytes: Duration,
    /// How long it may send nothing at all after that.
    pub(super) silence: Duration,
    /// How long it must have done nothing before it makes room for others.
    pub(super) idle: Duration,
}

/// The counts of every port.
#[derive(Clone)]
pub(super) struct Counts {
    open: IntGaugeVec,
    accepted: IntCounterVec,
    closed: IntCounterVec,
}

impl Counts {
    /// Registers them.
    pub(super) fn new(metrics: &Metrics) -> Result<Self> {
        let counter = |name: &str, help: &str, labels: &[&str]| {
            metrics.keep(IntCounterVec::new(Opts::new(name, help), labels))
        };
        Ok(Self {
            open: metrics.keep(IntGaugeVec::new(
                Opts::new("flinkspark_connections_open", "Connections that are open"),
                &["port"],
            ))?,
            accepted: counter(
                "flinkspark_connections_total",
                "Connections that were accepted",
                &["port"],
            )?,
            closed: counter(
                "flinkspark_connections_closed_total",
                "Connections that were closed because the peer was silent or others had no room",
                &["port", "why"],
            )?,
        })
    }
}

/// One port and its connections.
pub(super) struct Port {
    listener: TcpListener,
    table: Arc<Table>,
    /// Whether connections are waited for.
    taking: watch::Sender<bool>,
}

struct Table {
    name: &'static str,
    limits: Limits,
    counts: Counts,
    began: Instant,
    next: AtomicU64,
    open: Mutex<HashMap<u64, Arc<Activity>>>,
}

#[derive(Default)]
struct Activity {
    /// When it was last of use, in milliseconds since the port was opened; 0 while it never was.
    used_at_ms: AtomicU64,
    evicted: AtomicBool,
    waker: AtomicWaker,
}

impl Port {
    /// Guards a listener.
    pub(super) fn new(
        name: &'static str,
        listener: TcpListener,
        limits: Limits,
        counts: Counts,
    ) -> Self {
        let table = Table {
            name,
            limits,
            counts,
            began: Instant::now(),
            next: AtomicU64::new(0),
            open: Mutex::default(),
        };
        Self {
            listener,
            table: Arc::new(table),
            taking: watch::Sender::new(false),
        }
    }

    /// Becomes true once its service waits for connections.
    pub(super) fn taking(&self) -> watch::Receiver<bool> {
        self.taking.subscribe()
    }

    /// The next connection that there is room for.
    pub(super) async fn next(&mut self) -> (Guarded, SocketAddr) {
        self.taking.send_replace(true);
        loop {
            match self.listener.accept().await {
                Ok((stream, address)) => {
                    if let Some(guarded) = self.table.admit(stream) {
                        return (guarded, address);
                    }
                }
                Err(error) => {
                    tracing::warn!(port = self.table.name, %error, "a connection could not be accepted");
                    self.table.evict();
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// What it listens on.
    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl Table {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<Activity>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ms(&self) -> u64 {
        let elapsed = self.began.elapsed().as_millis();
        u64::try_from(elapsed).unwrap_or(u64::MAX).max(1)
    }

    fn closed(&self, why: &str) {
        self.counts
            .closed
            .with_label_values(&[self.name, why])
            .inc();
    }

    /// Takes a connection in; where all others are in use it is closed instead.
    fn admit(self: &Arc<Self>, stream: TcpStream) -> Option<Guarded> {
        if self.lock().len() >= self.limits.connections_max && !self.evict() {
            self.closed("no room");
            return None;
        }
        // Small answers are sent at once: held back for the peer's acknowledgement, each would take 40 ms.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection ended before it began");
            return None;
        }
        let activity = Arc::new(Activity::default());
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.lock().insert(id, Arc::clone(&activity));
        self.counts.open.with_label_values(&[self.name]).inc();
        self.counts.accepted.with_label_values(&[self.name]).inc();
        Some(Guarded {
            stream,
            id,
            table: Arc::clone(self),
            activity,
            silent: Box::pin(tokio::time::sleep(self.limits.first_bytes)),
        })
    }

    /// Closes a connection that was never of use, or the one that has been idle longest; false where none
    /// has been idle for long enough.
    fn evict(&self) -> bool {
        let idle = u64::try_from(self.limits.idle.as_millis()).unwrap_or(u64::MAX);
        let before = self.now_ms().saturating_sub(idle);
        let mut open = self.lock();
        let oldest = open
            .iter()
            .map(|(id, activity)| (activity.used_at_ms.load(Ordering::Relaxed), *id))
            .min()
            .filter(|(used_at_ms, _)| *used_at_ms <= before);
        let Some(activity) = oldest.and_then(|(_, id)| open.remove(&id)) else {
            return false;
        };
        drop(open);
        activity.evicted.store(true, Ordering::Release);
        activity.waker.wake();
        self.closed("idle");
        true
    }
}

/// A connection that is watched.
pub(super) struct Guarded {
    stream: TcpStream,
    id: u64,
    table: Arc<Table>,
    activity: Arc<Activity>,
    silent: Pin<Box<Sleep>>,
}

impl Guarded {
    fn used(&self, bytes: usize) {
        if bytes > PING_BYTES {
            let now = self.table.now_ms();
            self.activity.used_at_ms.store(now, Ordering::Relaxed);
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.table.lock().remove(&self.id);
        self.table
            .counts
            .open
            .with_label_values(&[self.table.name])
            .dec();
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.activity.waker.register(cx.waker());
        if self.activity.evicted.load(Ordering::Acquire) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let before = buffer.filled().len();
        if let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(cx, buffer) {
            read?;
            self.used(buffer.filled().len() - before);
            let deadline = Instant::now() + self.table.limits.silence;
            self.silent.as_mut().reset(deadline);
            return Poll::Ready(Ok(()));
        }
        ready!(self.silent.as_mut().poll(cx));
        self.table.closed("silent");
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        self.used(written);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, slices))?;
        self.used(written);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests;
