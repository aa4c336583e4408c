//! A port's connections, in clear or over TLS.
//!
//! The handshake is made by whoever serves the connection, not by whoever accepts it, so that a peer that is slow or
//! silent keeps nobody waiting. Invariant: no byte of a request is read before the handshake has succeeded, and that
//! within its limit.

use super::connections::{Guarded, Port};
use crate::tls::Tls;
use futures::{FutureExt, Stream};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;
use tokio_rustls::Accept;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

/// How long a handshake may take.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// A port that speaks TLS where it has a certificate.
pub(super) struct Wired {
    pub(super) port: Port,
    pub(super) tls: Option<Tls>,
    /// The protocols that it speaks, as TLS names them.
    pub(super) protocols: &'static [&'static [u8]],
}

impl Wired {
    async fn next(&mut self) -> (Wire, SocketAddr) {
        let (guarded, address) = self.port.next().await;
        let wire = match &self.tls {
            None => Wire::Clear(guarded),
            Some(tls) => Wire::Shaking(Box::new(Shaking {
                accept: tls.acceptor(self.protocols).accept(guarded),
                limit: Box::pin(tokio::time::sleep(HANDSHAKE_MAX)),
            })),
        };
        (wire, address)
    }

    /// The connections, without an end.
    pub(super) fn incoming(self) -> impl Stream<Item = io::Result<Wire>> {
        futures::stream::unfold(self, |mut wired| async move {
            let (wire, _) = wired.next().await;
            Some((Ok(wire), wired))
        })
    }
}

impl axum::serve::Listener for Wired {
    type Io = Wire;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Wire, SocketAddr) {
        self.next().await
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.port.local_addr()
    }
}

/// A connection.
pub(super) enum Wire {
    /// Without TLS.
    Clear(Guarded),
    /// Before its handshake has ended.
    Shaking(Box<Shaking>),
    /// Over TLS.
    Secured(Box<TlsStream<Guarded>>),
    /// Its handshake failed.
    Failed,
}

/// A handshake that is under way.
pub(super) struct Shaking {
    accept: Accept<Guarded>,
    limit: Pin<Box<Sleep>>,
}

/// A stream that can be read from and written to.
trait Both: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Both for T {}

impl Wire {
    /// The stream once its handshake has succeeded.
    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<&mut dyn Both>> {
        if let Self::Shaking(shaking) = self {
            let shaken = match shaking.accept.poll_unpin(cx) {
                Poll::Ready(shaken) => shaken,
                Poll::Pending => {
                    ready!(shaking.limit.as_mut().poll(cx));
                    Err(io::ErrorKind::TimedOut.into())
                }
            };
            match shaken {
                Ok(stream) => *self = Self::Secured(Box::new(stream)),
                Err(error) => {
                    tracing::debug!(%error, "a TLS handshake failed");
                    *self = Self::Failed;
                    return Poll::Ready(Err(error));
                }
            }
        }
        Poll::Ready(match self {
            Self::Clear(stream) => Ok(stream),
            Self::Secured(stream) => Ok(&mut **stream),
            Self::Shaking(_) | Self::Failed => Err(io::ErrorKind::NotConnected.into()),
        })
    }
}

impl Connected for Wire {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let stream = ready!(self.poll_open(cx))?;
        Pin::new(stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let stream = ready!(self.poll_open(cx))?;
        Pin::new(stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stream = ready!(self.poll_open(cx))?;
        Pin::new(stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            // Nothing was said that an end would have to be told of.
            Self::Shaking(_) | Self::Failed => Poll::Ready(Ok(())),
            Self::Clear(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Secured(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let stream = ready!(self.poll_open(cx))?;
        Pin::new(stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Clear(stream) => stream.is_write_vectored(),
            Self::Secured(stream) => stream.is_write_vectored(),
            Self::Shaking(_) | Self::Failed => false,
        }
    }
}
