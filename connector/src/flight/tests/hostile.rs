//! Peers that send rubbish.

use super::read::raw;
use super::*;
use crate::flight::decode::Decoder;
use arrow_flight::{FlightData, Ticket};
use flinkspark_model::Kind;
use flinkspark_proto::error::from_status;

#[tokio::test]
async fn a_ticket_with_any_bit_flipped_is_refused() {
    let bridge = bridge().await;
    bridge.fake.dataset_named("a", schema()).await;
    bridge.commit("a", &[rows(0, 4)]).await;
    let info = bridge.client.info(&whole("a")).await.unwrap();
    let good = info.endpoints[0].ticket.to_vec();
    let mut client = raw(&bridge).await;
    for bit in (0..good.len() * 8).step_by(7) {
        let mut ticket = good.clone();
        ticket[bit / 8] ^= 1 << (bit % 8);
        let status = client
            .do_get(Ticket {
                ticket: ticket.into(),
            })
            .await
            .unwrap_err();
        let error = from_status(&status);
        assert_eq!(
            (error.kind(), error.code()),
            (Kind::Unauthorized, "FS0404"),
            "bit {bit}"
        );
    }
    for length in [0, 1, 20, 33, good.len() - 1] {
        let status = client
            .do_get(Ticket {
                ticket: good[..length].to_vec().into(),
            })
            .await
            .unwrap_err();
        assert_eq!(from_status(&status).code(), "FS0404", "{length} bytes");
    }
}

fn stream() -> [FlightData; 2] {
    [
        encode::schema(&schema(), None),
        Encoder::new().encode(&rows(0, 20)).unwrap(),
    ]
}

#[test]
fn a_message_with_any_byte_changed_is_decoded_or_refused() {
    let mut refused = 0;
    for (target, flips) in [(0, 255), (1, 255), (0, 1), (1, 128)] {
        for index in 0..stream()[target].data_header.len() {
            let mut messages = stream();
            let mut header = messages[target].data_header.to_vec();
            header[index] ^= flips;
            messages[target].data_header = header.into();
            let mut decoder = Decoder::default();
            for message in messages {
                if let Err(error) = decoder.decode(message) {
                    assert_eq!(error.kind(), Kind::Invalid, "{error}");
                    refused += 1;
                    break;
                }
            }
        }
    }
    assert!(refused > 100, "{refused}");
}

#[test]
fn a_body_that_is_cut_is_refused() {
    let [schema, rows] = stream();
    let mut decoder = Decoder::default();
    decoder.decode(schema).unwrap();
    for length in [0, 1, rows.data_body.len() / 2] {
        let cut = FlightData {
            data_body: rows.data_body.slice(..length),
            ..rows.clone()
        };
        let error = decoder.decode(cut).unwrap_err();
        assert_eq!((error.kind(), error.code()), (Kind::Invalid, "FS0406"));
    }
}

#[test]
fn types_nested_too_deep_are_refused() {
    let deep = (0..60).fold(DataType::Int8, |inner, _| {
        DataType::List(Arc::new(Field::new("item", inner, true)))
    });
    let schema = Schema::new(vec![Field::new("deep", deep, true)]);
    let error = Decoder::default()
        .decode(encode::schema(&schema, None))
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid, "{error}");
}

#[test]
fn a_header_beyond_the_limit_is_refused_unread() {
    let message = FlightData::new().with_data_header(vec![0; limits::HEADER_BYTES_MAX + 1]);
    assert_eq!(
        Decoder::default().decode(message).unwrap_err().code(),
        "FS0407"
    );
}

#[test]
fn rows_out_of_order_are_refused() {
    let [schema, rows] = stream();
    assert_eq!(
        Decoder::default().decode(rows.clone()).unwrap_err().code(),
        "FS0406"
    );
    let mut decoder = Decoder::default();
    decoder.decode(schema.clone()).unwrap();
    decoder.decode(rows).unwrap();
    assert_eq!(decoder.decode(schema).unwrap_err().code(), "FS0406");
}

#[test]
fn buffers_that_unpack_to_too_much_are_refused_before_they_are_unpacked() {
    use arrow_ipc::CompressionType;
    use arrow_ipc::writer::{
        DictionaryTracker, IpcDataGenerator, IpcWriteContext, IpcWriteOptions,
    };
    let options = IpcWriteOptions::default()
        .try_with_compression(Some(CompressionType::LZ4_FRAME))
        .unwrap();
    let (_, data) = IpcDataGenerator::default()
        .encode(
            &rows(0, 5000),
            &mut DictionaryTracker::new(true),
            &options,
            &mut IpcWriteContext::default(),
        )
        .unwrap();
    let good = FlightData::from(data);
    let mut decoder = Decoder::default();
    decoder.decode(encode::schema(&schema(), None)).unwrap();
    decoder.decode(good.clone()).unwrap();
    let mut bomb = good.data_body.to_vec();
    let unpacked = (5000i64 * 8).to_le_bytes();
    let at = bomb
        .windows(8)
        .position(|window| window == unpacked)
        .unwrap();
    bomb[at..at + 8].copy_from_slice(&(1i64 << 40).to_le_bytes());
    let error = decoder
        .decode(FlightData {
            data_body: bomb.into(),
            ..good
        })
        .unwrap_err();
    assert_eq!(error.code(), "FS0407");
}
