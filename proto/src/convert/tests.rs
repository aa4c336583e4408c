//! What is refused at the edge; what goes through is tested by property.

mod property;

use crate::v1;
use flinkspark_model::handle::Handle;
use flinkspark_model::lineage::SlotRange;
use flinkspark_model::log::SegmentRef;
use flinkspark_model::port::{ChangeEvent, Reference};

#[test]
fn a_message_that_lacks_its_choice_is_refused_by_field() {
    let error = Reference::try_from(v1::Reference::default()).unwrap_err();
    assert_eq!(
        (error.code(), error.detail()),
        ("FS0190", Some("field reference.by: it is missing"))
    );
    assert_eq!(
        Handle::try_from(v1::Handle::default()).unwrap_err().code(),
        "FS0190"
    );
    assert_eq!(
        ChangeEvent::try_from(v1::ChangeEvent::default())
            .unwrap_err()
            .code(),
        "FS0190"
    );
    assert_eq!(
        v1::UpdateRequest::default().parts().unwrap_err().code(),
        "FS0190"
    );
}

#[test]
fn a_value_from_a_newer_version_is_refused() {
    let traits = v1::Traits {
        changelog: 77,
        ..Default::default()
    };
    let error = flinkspark_model::dataset::Traits::try_from(traits).unwrap_err();
    assert_eq!(
        error.detail(),
        Some("field changelog: 77 is not known here")
    );
    let segment = v1::Segment {
        format: "orc".into(),
        ..Default::default()
    };
    assert_eq!(SegmentRef::try_from(segment).unwrap_err().code(), "FS0190");
}

#[test]
fn what_is_left_unspecified_is_the_default() {
    let traits = flinkspark_model::dataset::Traits::try_from(v1::Traits::default()).unwrap();
    assert_eq!(traits, flinkspark_model::dataset::Traits::default());
}

#[test]
fn a_handle_without_a_name_is_refused() {
    let flink = v1::FlinkHandle::default();
    let handle = v1::Handle {
        engine: Some(v1::handle::Engine::Flink(flink)),
    };
    assert_eq!(Handle::try_from(handle).unwrap_err().code(), "FS0102");
}

#[test]
fn a_range_that_ends_before_it_begins_is_refused() {
    let range = v1::SlotRange {
        dataset_id: "00000000-0000-7000-8000-000000000000".into(),
        first: 2,
        last: 1,
    };
    assert_eq!(SlotRange::try_from(range).unwrap_err().code(), "FS0190");
}

#[test]
fn a_dataset_that_contradicts_itself_is_refused() {
    let dataset = v1::Dataset {
        id: "00000000-0000-7000-8000-000000000000".into(),
        name: "a".into(),
        schema: r#"{"version":1,"fields":[]}"#.into(),
        traits: Some(v1::Traits {
            primary_key: vec!["missing".into()],
            ..Default::default()
        }),
        ..Default::default()
    };
    assert_eq!(
        flinkspark_model::dataset::Dataset::try_from(dataset)
            .unwrap_err()
            .code(),
        "FS0104"
    );
}
