//! Following partitions.

use super::splits::{numbers, overwrite};
use super::*;
use crate::flight::body::{Changes, From, HeadRequest, Point};
use crate::flight::client::Followed;
use flinkspark_model::Kind;
use flinkspark_model::log::SlotKind;
use flinkspark_model::position::Position;
use futures::TryStreamExt;
use futures::stream::BoxStream;

fn following(dataset: &str, partition: u32, from: Option<Position>) -> ReadCommand {
    ReadCommand {
        partition: Some(partition),
        from: from.map(|from| From::Everywhere(Point::Position(from.to_string()))),
        follow: true,
        ..whole(dataset)
    }
}

async fn follow(
    bridge: &Bridge,
    command: &ReadCommand,
) -> Result<BoxStream<'static, Result<Followed>>> {
    let endpoint = bridge.client.ticket(command).await?;
    bridge.client.follow(&endpoint).await
}

/// The next rows, and every border before them.
async fn until_rows(stream: &mut BoxStream<'static, Result<Followed>>, count: usize) -> Seen {
    let mut seen = Seen::default();
    while seen.numbers.len() < count {
        seen.take(stream.try_next().await.unwrap().unwrap());
    }
    seen
}

#[derive(Default)]
struct Seen {
    numbers: Vec<i64>,
    borders: Vec<(u64, SlotKind)>,
    position: Option<Position>,
}

impl Seen {
    fn take(&mut self, followed: Followed) {
        self.position = followed.position();
        match followed {
            Followed::Rows(batch, _) => self.numbers.extend(numbers(&batch)),
            Followed::Border(border) => self.borders.push((border.slot, border.kind)),
            Followed::Idle(_) => {}
        }
    }
}

#[tokio::test]
async fn a_follower_sees_what_was_there_and_what_comes_and_every_border() {
    let bridge = bridge().await;
    bridge.fake.dataset_named("a", schema()).await;
    bridge.commit("a", &[rows(0, 3), rows(3, 2)]).await;
    let mut stream = follow(&bridge, &following("a", 1, None)).await.unwrap();
    let seen = until_rows(&mut stream, 2).await;
    assert_eq!(seen.numbers, [3, 4]);
    // No row of this one is in the partition.
    bridge.commit("a", &[rows(10, 3)]).await;
    bridge.commit("a", &[rows(20, 1), rows(21, 2)]).await;
    let mut later = until_rows(&mut stream, 2).await;
    assert_eq!(later.numbers, [21, 22]);
    let head = bridge.client.info(&whole("a")).await.unwrap().metadata.head;
    later.take(stream.try_next().await.unwrap().unwrap());
    let borders: Vec<u64> = seen
        .borders
        .iter()
        .chain(&later.borders)
        .map(|b| b.0)
        .collect();
    assert_eq!(
        borders,
        (1..=head).collect::<Vec<_>>(),
        "every slot once, in order"
    );
    assert_eq!(later.position, Some(Position::at_slot(head + 1)));
}

#[tokio::test]
async fn a_follower_that_goes_on_from_any_message_misses_nothing_and_doubles_nothing() {
    let bridge = bridge().await;
    bridge.fake.dataset_named("a", schema()).await;
    let mut expected: Vec<i64> = Vec::new();
    for epoch in 0..4 {
        let first = epoch * 70_000;
        bridge.commit("a", &[rows(first, 70_000)]).await;
        expected.extend(first..first + 70_000);
    }
    let mut position = None;
    let mut got = Vec::new();
    // Each time it takes one message more, then breaks.
    for messages in 1.. {
        let mut stream = follow(&bridge, &following("a", 0, position)).await.unwrap();
        let mut seen = Seen::default();
        for _ in 0..messages {
            seen.take(stream.try_next().await.unwrap().unwrap());
            if got.len() + seen.numbers.len() == expected.len() {
                break;
            }
        }
        got.extend(seen.numbers);
        position = seen.position;
        if got.len() >= expected.len() {
            break;
        }
    }
    assert_eq!(got, expected);
}

#[tokio::test]
async fn an_overwrite_behind_a_follower_ends_it_unless_it_said_that_it_knows() {
    let bridge = bridge().await;
    bridge.fake.dataset_named("a", schema()).await;
    bridge.commit("a", &[rows(0, 3)]).await;
    let knows = ReadCommand {
        changes: Some(Changes::Allow),
        ..following("a", 0, None)
    };
    let mut plain = follow(&bridge, &following("a", 0, None)).await.unwrap();
    let mut knowing = follow(&bridge, &knows).await.unwrap();
    let stood_at = until_rows(&mut plain, 3).await.position;
    until_rows(&mut knowing, 3).await;
    overwrite(&bridge, "a", rows(100, 3)).await;
    let mut error = None;
    while error.is_none() {
        error = plain.try_next().await.err();
    }
    let error = error.unwrap();
    assert_eq!((error.kind(), error.code()), (Kind::Conflict, "FS0449"));
    let seen = until_rows(&mut knowing, 3).await;
    assert_eq!(seen.numbers, [100, 101, 102]);
    assert_eq!(
        seen.borders.last().unwrap().1,
        SlotKind::Overwrite,
        "it is told before"
    );
    let again = follow(&bridge, &following("a", 0, stood_at)).await;
    assert_eq!(again.err().unwrap().code(), "FS0449");
}

#[tokio::test]
async fn a_flight_that_follows_has_an_endpoint_for_each_partition_and_one_at_least() {
    let bridge = bridge().await;
    bridge.fake.dataset_named("a", schema()).await;
    let command = ReadCommand {
        follow: true,
        ..whole("a")
    };
    let info = bridge.client.info(&command).await.unwrap();
    assert_eq!(info.endpoints.len(), 1);
    let mut stream = bridge.client.follow(&info.endpoints[0]).await.unwrap();
    bridge
        .commit("a", &[rows(0, 1), rows(1, 1), rows(2, 1)])
        .await;
    let seen = until_rows(&mut stream, 1).await;
    assert_eq!(seen.numbers, [0]);
    let Followed::Border(border) = stream.try_next().await.unwrap().unwrap() else {
        panic!("a border follows");
    };
    assert_eq!(border.partitions, 3, "it is told of the others");
    let info = bridge.client.info(&command).await.unwrap();
    assert_eq!(info.endpoints.len(), 3);
}

#[tokio::test]
async fn hundreds_of_followers_get_every_row_within_a_small_budget() {
    const FOLLOWERS: usize = 300;
    // A quarter for each kind of work: 300 followers hold two messages of 32 KiB each.
    let budget = Budget::new(96 << 20);
    let bridge = bridge_within(&budget).await;
    bridge.fake.dataset_named("a", schema()).await;
    bridge.commit("a", &[rows(0, 100)]).await;
    let mut streams = Vec::new();
    for index in 0..FOLLOWERS {
        // A connection has 256 streams.
        let client = match index % 100 {
            0 => Client::connect(bridge.url.as_str()).await.unwrap(),
            _ => bridge.client.clone(),
        };
        let endpoint = client.ticket(&following("a", 0, None)).await.unwrap();
        let client = if index % 2 == 0 {
            Client::connect(bridge.url.as_str()).await.unwrap()
        } else {
            client
        };
        streams.push(client.follow(&endpoint).await.unwrap());
    }
    let gets = &bridge.components.memory.gets;
    let held = gets.used();
    assert!(held > 0 && held <= gets.limit(), "{held} bytes");
    for epoch in 1..5 {
        bridge.commit("a", &[rows(epoch * 100, 100)]).await;
    }
    for mut stream in streams {
        let seen = until_rows(&mut stream, 500).await;
        assert_eq!(seen.numbers, (0..500).collect::<Vec<i64>>());
    }
}

#[tokio::test]
async fn whoever_follows_or_waits_is_sent_away_when_the_server_stops() {
    let bridge = bridge().await;
    bridge.fake.dataset_named("a", schema()).await;
    bridge.commit("a", &[rows(0, 3)]).await;
    let mut stream = follow(&bridge, &following("a", 0, None)).await.unwrap();
    until_rows(&mut stream, 3).await;
    let request = HeadRequest {
        dataset: "a".into(),
        after: 1 << 40,
        wait_ms: 60_000,
    };
    let client = bridge.client.clone();
    let waiter = tokio::spawn(async move { client.head(&request).await });
    let ended = tokio::spawn(async move {
        let mut position = None;
        loop {
            match stream.try_next().await {
                Ok(said) => position = said.unwrap().position(),
                Err(error) => return (error, position),
            }
        }
    });
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    assert!(!ended.is_finished() && !waiter.is_finished());
    bridge.closing.send_replace(true);
    let (error, position) = ended.await.unwrap();
    assert_eq!((error.kind(), error.code()), (Kind::Unavailable, "FS0451"));
    assert!(
        error
            .detail()
            .unwrap()
            .contains(&position.unwrap().to_string())
    );
    assert!(waiter.await.unwrap().unwrap().head < 1 << 40);
}
