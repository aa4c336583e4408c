//! Every limit of the Flight service and its client, by name and with its unit.
//!
//! tonic's own defaults are unlimited streams, a 4 MiB decode limit on both ends and 64 KiB
//! windows. Invariant: server and client are only ever built through [`server`] and [`endpoint`],
//! so that neither side sends what the other refuses.

use std::time::Duration;
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Endpoint, Server};

/// The largest gRPC message either side accepts or sends, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 64 << 20;

/// The largest message of a call that has only one, in bytes: a ticket, an action, a schema.
pub const REQUEST_BYTES_MAX: usize = 8 << 20;

/// The most bytes of a message that are made plain at once, unless a single row is larger.
pub const PIECE_BYTES_MAX: u64 = 8 << 20;

/// What is kept for a put beside its rows and what its writer joins of them, in bytes.
pub const WRITER_BYTES: u64 = 1 << 20;

/// The largest Arrow IPC header of a message, in bytes: schemas and buffer lists, not data.
pub const HEADER_BYTES_MAX: usize = crate::ipc::HEADER_BYTES_MAX;

/// The most flatbuffer tables in one IPC header; a schema has about three for each column.
pub const HEADER_TABLES_MAX: usize = crate::ipc::HEADER_TABLES_MAX;

/// The most bytes that the compressed buffers of one message may unpack to.
pub const UNPACKED_BYTES_MAX: u64 = crate::ipc::UNPACKED_BYTES_MAX;

/// The most rows in one message that arrives, and the most elements in it that take no bits.
pub const PUT_ROWS_MAX: u64 = crate::ipc::ROWS_MAX;

/// The most rows in one message that is sent.
pub const GET_ROWS_MAX: usize = 64 << 10;

/// The size that a message that is sent stays below unless a single row is larger, in bytes. Two of them
/// are what a reader holds that takes nothing.
pub const GET_BYTES_TARGET: usize = 256 << 10;

/// The same where so many read that a quarter of their memory is spent.
pub const GET_BYTES_TARGET_CROWDED: usize = 32 << 10;

/// The size that a message of a put by the Rust client stays below unless a single row is larger, in bytes.
pub const PUT_BYTES_TARGET: usize = 4 << 20;

/// The most endpoints in one `FlightInfo`; of more rows each endpoint has more.
pub const ENDPOINTS_MAX: usize = 16 << 10;

/// The most endpoints where nobody says how many are wanted, unless there are more partitions.
pub const ENDPOINTS_DEFAULT: usize = 1024;

/// The most bytes that the endpoints of one `FlightInfo` take.
pub const ENDPOINTS_BYTES_MAX: usize = 24 << 20;

/// The bytes that an endpoint has about where nobody says how many, in the store: a block of a segment has as
/// many at most, so that few readers decode one twice.
pub const SPLIT_BYTES_DEFAULT: u64 = crate::store::STORED_BATCH_BYTES_MAX;

/// The most runs of slots of one kind that a `FlightInfo` lists.
pub const KIND_RUNS_MAX: usize = 1024;

/// The most columns that a ticket names.
pub const COLUMNS_MAX: usize = 128 << 10;

/// Datasets that `ListFlights` reads from the catalogue at a time.
pub const LIST_PAGE: usize = 256;

/// The largest JSON body, descriptor command or closing message, in bytes.
pub const BODY_BYTES_MAX: usize = 4 << 20;

/// The largest ticket, in bytes: it may name every column of a wide dataset in any order.
pub const TICKET_BYTES_MAX: usize = 1 << 20;

/// How long a ticket can be redeemed, in milliseconds; it can be renewed before and after.
pub const TICKET_LIFE_MS: u64 = 15 * 60 * 1000;

/// How long a query's reader may take nothing before the query is given up.
pub const QUERY_IDLE_MAX: Duration = Duration::from_secs(600);

/// How long a put may send nothing before it is given up.
pub const PUT_IDLE_MAX: Duration = Duration::from_secs(600);

/// How long a message that has begun may take, and as much more as its bytes take at the slowest pace that is
/// waited for: memory is kept for it meanwhile.
pub const MESSAGE_TIME_MIN: Duration = Duration::from_secs(30);

/// That pace.
pub const MESSAGE_BYTES_PER_SECOND_MIN: u64 = 256 << 10;

/// How long a call waits for memory before it is refused.
pub const ADMISSION_WAIT_MAX: Duration = Duration::from_secs(60);

/// Messages that wait between the decoder of a get and the network.
pub const GET_MESSAGES_QUEUED: usize = 1;

/// Messages that wait between a client's producer and the network.
pub const PUT_MESSAGES_QUEUED: usize = 2;

/// How long a follower hears nothing before it is told that nothing happened.
pub const FOLLOW_IDLE: Duration = Duration::from_secs(10);

/// Callers of `head` and `epochs` that wait at once.
pub const WAITERS_MAX: usize = 4096;

/// The longest wait of `head` and `epochs`, in milliseconds; a longer one is taken as this.
pub const WAIT_MS_MAX: u64 = 60_000;

/// Slots that `epochs` lists where nobody says how many.
pub const EPOCHS_DEFAULT: u64 = 100;

/// The most slots that `epochs` lists at once.
pub const EPOCHS_MAX: u64 = 1000;

/// Concurrent HTTP/2 streams of one connection.
pub const CONCURRENT_STREAMS_MAX: u32 = 256;

/// Request headers or response trailers of one call, in bytes.
pub const HEADER_LIST_BYTES_MAX: u32 = 16 << 10;

/// HTTP/2 flow-control window of one of a server's streams, in bytes: what is held of a put that waits to be
/// admitted.
pub const SERVER_STREAM_WINDOW_BYTES: u32 = 256 << 10;

/// HTTP/2 flow-control window of one of a server's connections, in bytes: as much as all of its streams, so that
/// those that wait take none from those that were admitted.
pub const SERVER_CONNECTION_WINDOW_BYTES: u32 = CONCURRENT_STREAMS_MAX * SERVER_STREAM_WINDOW_BYTES;

/// HTTP/2 flow-control window of one of a client's streams, in bytes.
pub const STREAM_WINDOW_BYTES: u32 = 16 << 20;

/// HTTP/2 flow-control window of one of a client's connections, in bytes.
pub const CONNECTION_WINDOW_BYTES: u32 = 32 << 20;

/// The largest HTTP/2 frame, in bytes.
pub const FRAME_BYTES_MAX: u32 = 1 << 20;

/// How often a silent connection is asked whether it lives.
pub const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(20);

/// How long the answer may take.
pub const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(20);

/// After this a connection is asked to go away; its calls may end.
pub const CONNECTION_AGE_MAX: Duration = Duration::from_secs(60 * 60);

/// How long calls may go on after that.
pub const CONNECTION_AGE_GRACE: Duration = Duration::from_secs(12 * 60 * 60);

/// How long a client waits for a connection.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Endpoints that the Rust client reads at once.
pub const PARALLEL_GETS: usize = 4;

/// A server's transport with every limit set.
pub fn server(server: Server) -> Server {
    server
        .max_concurrent_streams(CONCURRENT_STREAMS_MAX)
        .http2_max_header_list_size(HEADER_LIST_BYTES_MAX)
        .initial_stream_window_size(SERVER_STREAM_WINDOW_BYTES)
        .initial_connection_window_size(SERVER_CONNECTION_WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES_MAX)
        .http2_keepalive_interval(Some(KEEP_ALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEP_ALIVE_TIMEOUT))
        .max_connection_age(CONNECTION_AGE_MAX)
        .max_connection_age_grace(CONNECTION_AGE_GRACE)
}

/// The connections that a server built by [`server`] takes. Small answers are sent at once: held back
/// for the peer's delayed acknowledgement, each would take 40 ms.
pub fn incoming(listener: TcpListener) -> TcpIncoming {
    TcpIncoming::from(listener).with_nodelay(Some(true))
}

/// A client's transport with every limit set.
pub fn endpoint(endpoint: Endpoint) -> Endpoint {
    endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_max_header_list_size(HEADER_LIST_BYTES_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES_MAX)
        .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .tcp_nodelay(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::StreamExt;
    use tokio::net::TcpStream;

    #[tokio::test]
    async fn small_answers_are_not_held_back() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut incoming = incoming(listener);
        let _client = TcpStream::connect(address).await.unwrap();
        let accepted = incoming.next().await.unwrap().unwrap();
        assert!(accepted.nodelay().unwrap());
    }
}
