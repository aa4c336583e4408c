//! Questions over Flight: planned, answered, given up, renewed.

use super::*;
use crate::flight::client::{Asked, Item};
use async_trait::async_trait;
use flinkspark_model::access::{Caller, Principal};
use flinkspark_model::port::{Answer, Answerer, Planned, Queries, Query};
use flinkspark_model::{Error, Kind};
use futures::TryStreamExt;
use std::sync::atomic::{AtomicU64, Ordering};

/// Rows that were computed, and questions that have ended.
#[derive(Default)]
pub(crate) struct Counting {
    computed: AtomicU64,
    ended: AtomicU64,
}

/// Answers "N" with N batches of 1,000 rows, "N!" with an error after them, "N late" with late rows.
pub(crate) struct Numbers(pub(crate) Arc<Counting>);

struct Ends(Arc<Counting>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Queries for Numbers {
    async fn plan(&self, query: &Query, _: &Caller) -> Result<Planned> {
        if query.query.contains("FROM") {
            return Err(Error::new(
                Kind::NotFound,
                "FS0804",
                "there is no such dataset",
            ));
        }
        let (schema, pins) = (super::schema(), Vec::new());
        Ok(Planned { schema, pins })
    }

    async fn run(&self, query: &Query, _: &[flinkspark_model::port::Pinned]) -> Result<Answer> {
        let digits: String = query.query.chars().filter(char::is_ascii_digit).collect();
        let batches: i64 = digits.parse().unwrap();
        let fails = query.query.contains('!');
        let late = 7 * u64::from(query.query.contains("late"));
        let (counts, ends) = (Arc::clone(&self.0), Ends(Arc::clone(&self.0)));
        let batches = stream::iter(0..batches).map(move |n| {
            let _held = &ends;
            counts.computed.fetch_add(1000, Ordering::SeqCst);
            Ok(rows(1000 * n, 1000))
        });
        let failure = fails.then(|| Err(Error::new(Kind::Data, "FS0805", "10 / 0")));
        Ok(Answer {
            schema: super::schema(),
            rows: batches.chain(stream::iter(failure)).boxed(),
            rows_late: Box::new(move || late),
        })
    }
}

async fn ask(bridge: &Bridge, text: &str) -> Result<Asked> {
    let query = Query {
        query: text.into(),
        limit: None,
        on: Answerer::Batch,
    };
    bridge.client.query(&query).await
}

#[tokio::test]
async fn every_row_comes_and_late_ones_are_told_last() {
    let bridge = bridge().await;
    for (text, rows, late) in [
        ("0", 0, None),
        ("1", 1000, None),
        ("40 late", 40_000, Some(7)),
    ] {
        let asked = ask(&bridge, text).await.unwrap();
        assert_eq!(asked.schema, schema());
        let items: Vec<Item> = asked.items.try_collect().await.unwrap();
        let count = |item: &Item| match item {
            Item::Rows(batch) => batch.num_rows(),
            Item::Late(_) => 0,
        };
        assert_eq!(items.iter().map(count).sum::<usize>(), rows, "{text}");
        let told = items.last().and_then(|item| match item {
            Item::Late(late) => Some(*late),
            Item::Rows(_) => None,
        });
        assert_eq!(told, late, "{text}");
    }
}

#[tokio::test]
async fn what_a_question_ran_into_comes_after_its_rows() {
    let bridge = bridge().await;
    assert_eq!(
        ask(&bridge, "FROM nothing").await.err().unwrap().code(),
        "FS0804"
    );
    let mut items = ask(&bridge, "2!").await.unwrap().items;
    let mut rows = 0;
    let error = loop {
        match items.try_next().await {
            Ok(Some(Item::Rows(batch))) => rows += batch.num_rows(),
            Ok(other) => panic!("{other:?}"),
            Err(error) => break error,
        }
    };
    assert_eq!((rows, error.code()), (2000, "FS0805"));
}

#[tokio::test]
async fn a_reader_that_leaves_ends_the_computation() {
    let bridge = bridge().await;
    let mut items = ask(&bridge, "1000000").await.unwrap().items;
    assert!(matches!(items.try_next().await, Ok(Some(Item::Rows(_)))));
    drop(items);
    let since = std::time::Instant::now();
    while bridge.counting.ended.load(Ordering::SeqCst) == 0 {
        assert!(since.elapsed().as_secs() < 60, "it goes on");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let computed = bridge.counting.computed.load(Ordering::SeqCst);
    assert!(computed < 100_000_000, "{computed} rows for nobody");
}

#[tokio::test]
async fn a_ticket_of_a_question_is_no_ticket_of_rows() {
    use crate::flight::ticket::{QueryTicket, Signed, Ticket};
    let key = Key::new([9; 32]);
    let ticket = QueryTicket {
        query: Query {
            query: "1".into(),
            limit: Some(3),
            on: Answerer::Stream,
        },
        pins: Vec::new(),
        principal: Some(Principal::new("ann").unwrap()),
        expires_at_ms: 5,
    };
    let bytes = ticket.sign(&key).unwrap();
    assert_eq!(QueryTicket::open(&bytes, &key).unwrap(), ticket);
    assert_eq!(
        QueryTicket::redeem(&bytes, &key, 5).unwrap_err().code(),
        "FS0405"
    );
    assert_eq!(Ticket::open(&bytes, &key).unwrap_err().code(), "FS0404");
    let mut other = bytes.clone();
    other[0] = Ticket::KIND;
    assert_eq!(Ticket::open(&other, &key).unwrap_err().code(), "FS0404");
    let theirs = |whose: Option<&Principal>| match whose {
        Some(ann) if ann.as_str() == "ann" => Ok(()),
        _ => Err(Error::new(Kind::Forbidden, "FS1105", "not theirs")),
    };
    let not_theirs = |_: Option<&Principal>| theirs(None);
    let renewed = QueryTicket::renewed(&bytes, &key, 9, theirs).unwrap();
    let stolen = QueryTicket::renewed(&bytes, &key, 9, not_theirs);
    assert_eq!(stolen.unwrap_err().code(), "FS1105");
    assert!(QueryTicket::redeem(&renewed, &key, 8).is_ok());
}

#[tokio::test]
async fn a_statement_that_no_ticket_holds_is_refused_when_it_is_planned() {
    let bridge = bridge().await;
    let long = format!("1{}", " ".repeat(limits::TICKET_BYTES_MAX));
    assert_eq!(ask(&bridge, &long).await.err().unwrap().code(), "FS0411");
}
