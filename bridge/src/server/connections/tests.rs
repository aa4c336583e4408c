//! Peers that say nothing, and ports that are full.

use super::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const LONG: Duration = Duration::from_secs(3600);

fn limits() -> Limits {
    Limits {
        connections_max: 2,
        first_bytes: LONG,
        silence: LONG,
        idle: Duration::ZERO,
    }
}

/// A port whose connections are read until they end, and its address.
async fn port(limits: Limits) -> (SocketAddr, Counts) {
    let counts =
        Counts::new(&Metrics::new(flinkspark_model::budget::Budget::new(1 << 20)).unwrap())
            .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut port = Port::new("test", listener, limits, counts.clone());
    tokio::spawn(async move {
        loop {
            let (mut guarded, _) = port.next().await;
            tokio::spawn(async move {
                assert!(guarded.stream.nodelay().unwrap());
                let mut bytes = [0; 64];
                while let Ok(1..) = guarded.read(&mut bytes).await {
                    guarded.write_all(b"!").await.unwrap();
                }
            });
        }
    });
    (address, counts)
}

/// Waits until the server has closed the connection.
async fn is_closed(mut peer: TcpStream) {
    let read = peer.read(&mut [0; 1]).await;
    assert!(!matches!(read, Ok(1..)), "{read:?}");
}

#[tokio::test]
async fn a_peer_that_says_nothing_is_closed() {
    let (address, counts) = port(Limits {
        first_bytes: Duration::from_millis(20),
        ..limits()
    })
    .await;
    is_closed(TcpStream::connect(address).await.unwrap()).await;
    let closed = counts.closed.with_label_values(&["test", "silent"]);
    assert_eq!(closed.get(), 1);
}

#[tokio::test]
async fn a_peer_that_falls_silent_is_closed() {
    let (address, _) = port(Limits {
        silence: Duration::from_millis(20),
        ..limits()
    })
    .await;
    let mut peer = TcpStream::connect(address).await.unwrap();
    use_it(&mut peer).await;
    is_closed(peer).await;
}

#[tokio::test]
async fn whoever_idles_makes_room_for_who_comes() {
    let (address, counts) = port(limits()).await;
    let idle = TcpStream::connect(address).await.unwrap();
    let accepted = |count| {
        let counts = counts.clone();
        async move {
            while counts.accepted.with_label_values(&["test"]).get() < count {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    };
    accepted(1).await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    let _second = TcpStream::connect(address).await.unwrap();
    accepted(2).await;
    let _third = TcpStream::connect(address).await.unwrap();
    is_closed(idle).await;
    accepted(3).await;
    let open = || counts.open.with_label_values(&["test"]).get();
    while open() != 2 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Sends more than a ping has, and hears that it was read.
async fn use_it(peer: &mut TcpStream) {
    peer.write_all(&[0; 60]).await.unwrap();
    assert_eq!(peer.read(&mut [0; 1]).await.unwrap(), 1);
}

#[tokio::test]
async fn who_is_in_use_is_not_closed_for_others() {
    let (address, counts) = port(Limits {
        idle: LONG,
        ..limits()
    })
    .await;
    let mut kept = Vec::new();
    for _ in 0..2 {
        let mut peer = TcpStream::connect(address).await.unwrap();
        use_it(&mut peer).await;
        kept.push(peer);
    }
    is_closed(TcpStream::connect(address).await.unwrap()).await;
    for peer in &mut kept {
        use_it(peer).await;
    }
    let refused = counts.closed.with_label_values(&["test", "no room"]);
    assert_eq!(refused.get(), 1);
}
