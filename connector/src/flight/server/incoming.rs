//! What arrives in a call, message by message, each admitted against the memory budget before it is taken.
//!
//! tonic's decoder reserves what a message claims, keeps a buffer as large as the largest one for as long
//! as the call lasts, and knows of no budget. So calls pass through [`Admitted`]: of a call with one message,
//! that message is taken here and handed on; a put takes its messages from [`Incoming`] itself.
//! Invariant: of a message that was not admitted no more is held than the connection's flow control
//! allows, and of one that was, not more than what arrived.

use super::Memory;
use crate::flight::decode::damaged;
use crate::flight::limits;
use bytes::{Buf, Bytes, BytesMut};
use flinkspark_model::budget::{Reservation, Share};
use flinkspark_model::{Error, Kind, Result};
use flinkspark_proto::error::{from_status, to_status};
use futures::future::BoxFuture;
use http_body_util::{BodyExt, Full};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, timeout};
use tonic::body::Body;
use tonic::codegen::{Body as _, Service, http};
use tonic::server::NamedService;

/// What a message begins with: whether gRPC compressed it, and its length.
const PREFIX_BYTES: usize = 5;

/// How often memory is asked for ahead of a line.
const MORE_INTERVAL: Duration = Duration::from_millis(20);

/// What is said of a call that its caller gave up.
pub(super) const CANCELLED: &str = "the call was cancelled";

/// The call whose messages are many.
const PUT: &str = "/arrow.flight.protocol.FlightService/DoPut";

/// A service whose messages are admitted before they are taken.
#[derive(Clone)]
pub struct Admitted<S> {
    service: S,
    memory: Share,
}

/// Admits what arrives for a service, against the same memory as puts.
pub fn admitted<S>(service: S, memory: &Memory) -> Admitted<S> {
    Admitted {
        service,
        memory: memory.puts.clone(),
    }
}

impl<S: NamedService> NamedService for Admitted<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<http::Request<Body>> for Admitted<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, std::result::Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<std::result::Result<(), S::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let (mut head, body) = request.into_parts();
        let mut incoming = Incoming::new(body, self.memory.clone());
        // The one that was asked whether it is ready goes with the call.
        let next = self.service.clone();
        let mut service = std::mem::replace(&mut self.service, next);
        if head.uri.path() == PUT {
            head.extensions.insert(Aside::of(incoming));
            return Box::pin(service.call(http::Request::from_parts(head, Body::empty())));
        }
        incoming.bytes_max = limits::REQUEST_BYTES_MAX;
        Box::pin(async move {
            let (body, _held) = match incoming.next().await {
                Ok(Some(arrived)) => {
                    let mut framed = BytesMut::with_capacity(PREFIX_BYTES + arrived.bytes.len());
                    framed.extend_from_slice(&prefix_of(arrived.bytes.len()));
                    framed.extend_from_slice(&arrived.bytes);
                    (Body::new(Full::new(framed.freeze())), Some(arrived.held))
                }
                Ok(None) => (Body::empty(), None),
                Err(error) => return Ok(to_status(&error).into_http()),
            };
            service.call(http::Request::from_parts(head, body)).await
        })
    }
}

fn prefix_of(length: usize) -> [u8; PREFIX_BYTES] {
    let [a, b, c, d] = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    [0, a, b, c, d]
}

/// A put's messages, set aside for the one who handles the call.
#[derive(Clone)]
pub(super) struct Aside(Arc<Mutex<Option<Incoming>>>);

impl Aside {
    fn of(incoming: Incoming) -> Self {
        Self(Arc::new(Mutex::new(Some(incoming))))
    }

    /// The messages, once.
    pub(super) fn take(&self) -> Option<Incoming> {
        let mut aside = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        aside.take()
    }
}

/// One message, and the memory for it and for what is made of it.
pub(super) struct Arrived {
    pub(super) bytes: Bytes,
    pub(super) held: Reservation,
}

/// The messages of one call.
pub(super) struct Incoming {
    body: Body,
    memory: Share,
    bytes_max: usize,
    /// What came with the last message and belongs to the next.
    rest: Bytes,
}

impl Incoming {
    fn new(body: Body, memory: Share) -> Self {
        Self {
            body,
            memory,
            bytes_max: limits::MESSAGE_BYTES_MAX,
            rest: Bytes::new(),
        }
    }

    /// The next message; `None` where the caller has said that there is none.
    ///
    /// Errors: `FS0406` and `FS0407` for what is no message, `FS0415` where it comes too slowly,
    /// `FS0418` where the call was cancelled, `FS0030` where the memory is spent, `FS0031` where it is
    /// never enough.
    pub(super) async fn next(&mut self) -> Result<Option<Arrived>> {
        let prefix = timeout(limits::PUT_IDLE_MAX, self.prefix());
        let prefix = prefix.await.map_err(|_| slow(limits::PUT_IDLE_MAX))??;
        let Some([flag, length @ ..]) = prefix else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(length) as usize;
        if flag != 0 {
            return Err(damaged("it is compressed by gRPC".into())
                .with_hint("leave gRPC's compression out, and compress Arrow's buffers"));
        }
        if length > self.bytes_max {
            let limit = self.bytes_max;
            return Err(
                Error::new(Kind::Invalid, "FS0407", "a message is too large")
                    .with_detail(format!("it has {length} bytes; the limit is {limit}"))
                    .with_hint("send smaller messages"),
            );
        }
        let held = admit(&self.memory, needed(length as u64)).await?;
        let patience = limits::MESSAGE_TIME_MIN
            + Duration::from_secs(length as u64 / limits::MESSAGE_BYTES_PER_SECOND_MIN);
        let bytes = timeout(patience, self.take(length));
        let bytes = bytes.await.map_err(|_| slow(patience))??;
        Ok(Some(Arrived { bytes, held }))
    }

    async fn prefix(&mut self) -> Result<Option<[u8; PREFIX_BYTES]>> {
        if self.rest.len() < PREFIX_BYTES {
            let mut begun = BytesMut::from(self.rest.as_ref());
            while begun.len() < PREFIX_BYTES {
                match self.frame().await? {
                    Some(more) => begun.extend_from_slice(&more),
                    None if begun.is_empty() => return Ok(None),
                    None => return Err(damaged("it ends within a message".into())),
                }
            }
            self.rest = begun.freeze();
        }
        let mut prefix = [0; PREFIX_BYTES];
        self.rest.copy_to_slice(&mut prefix);
        Ok(Some(prefix))
    }

    async fn take(&mut self, length: usize) -> Result<Bytes> {
        if self.rest.len() >= length {
            return Ok(self.rest.split_to(length));
        }
        let mut have = self.rest.len();
        let mut pieces = vec![std::mem::take(&mut self.rest)];
        while have < length {
            let Some(mut more) = self.frame().await? else {
                return Err(damaged("it ends within a message".into()));
            };
            let wanted = more.split_to(more.len().min(length - have));
            have += wanted.len();
            pieces.push(wanted);
            self.rest = more;
        }
        let mut whole = BytesMut::with_capacity(length);
        for piece in pieces {
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }

    /// What comes next; `None` where the caller has said that nothing does.
    async fn frame(&mut self) -> Result<Option<Bytes>> {
        loop {
            match self.body.frame().await {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) if data.is_empty() => {}
                    Ok(data) => return Ok(Some(data)),
                    Err(_trailers) => {}
                },
                Some(Err(status)) => return Err(from_status(&status)),
                // A cancelled call's stream ends without having been closed by the caller.
                None if self.body.is_end_stream() => return Ok(None),
                None => return Err(misplaced(CANCELLED)),
            }
        }
    }
}

/// What a message of so many bytes takes: itself, itself once more where its buffers stand aligned, and
/// its rows made plain, encoded and joined piece by piece.
fn needed(bytes: u64) -> u64 {
    2 * bytes + 3 * bytes.min(limits::PIECE_BYTES_MAX)
}

/// Memory, waited for in line; not for ever. Whoever waits here holds nothing that others in the line need.
pub(super) async fn admit(memory: &Share, bytes: u64) -> Result<Reservation> {
    match timeout(limits::ADMISSION_WAIT_MAX, memory.reserve(bytes)).await {
        Ok(held) => held,
        // Says what it is spent on.
        Err(_) => memory.try_reserve(bytes),
    }
}

/// More memory for what was admitted, ahead of the line: those in it wait for what this one holds.
pub(super) async fn admit_more(memory: &Share, bytes: u64) -> Result<Reservation> {
    let since = Instant::now();
    loop {
        match memory.try_reserve(bytes) {
            Err(error)
                if error.kind() == Kind::Unavailable
                    && since.elapsed() < limits::ADMISSION_WAIT_MAX =>
            {
                tokio::time::sleep(MORE_INTERVAL).await;
            }
            done => return done,
        }
    }
}

/// A message, or an end, where it does not belong.
pub(super) fn misplaced(why: &str) -> Error {
    Error::new(Kind::Invalid, "FS0418", "the messages of the put are out of order")
        .with_detail(why)
        .with_hint("send a descriptor with the schema, then batches, then the closing message, then half-close")
}

fn slow(limit: Duration) -> Error {
    Error::new(
        Kind::Unavailable,
        "FS0415",
        "the put stood still for too long",
    )
    .with_detail(format!("no message came for {} s", limit.as_secs()))
    .with_hint("put the partition again with the next attempt, in smaller batches")
}
