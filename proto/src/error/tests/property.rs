//! Errors of every kind and size come back as what they were.

use super::*;
use proptest::prelude::*;

fn errors(parts: &'static str) -> impl Strategy<Value = Error> {
    let kinds = proptest::sample::select(Kind::ALL.to_vec());
    let part = || proptest::option::of(parts);
    (kinds, 0u32..10_000, parts, part(), part()).prop_map(|(kind, code, message, detail, hint)| {
        let mut error = Error::from_wire(kind, format!("FS{code:04}"), message);
        if let Some(detail) = detail {
            error = error.with_detail(detail);
        }
        if let Some(hint) = hint {
            error = error.with_hint(hint);
        }
        error
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn an_ordinary_error_survives_the_way_there_and_back(error in errors("\\PC{0,100}")) {
        prop_assert_eq!(from_status(&to_status(&error)), error);
    }

    #[test]
    fn a_huge_error_keeps_kind_and_code_and_fits(error in errors("(?s).{0,6000}")) {
        let status = to_status(&error);
        let trailers = [TRAILER, DETAILS].into_iter().flat_map(|name| status.metadata().get_all_bin(name));
        let trailers: usize = trailers.map(|value| value.as_encoded_bytes().len()).sum();
        prop_assert!(percent_encoded_bytes(status.message()) + trailers <= STATUS_BYTES_MAX);
        let back = from_status(&status);
        prop_assert_eq!((back.kind(), back.code()), (error.kind(), error.code()));
    }
}
