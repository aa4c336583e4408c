//! What the slot machine promises, one fact per test.

use super::View;

#[test]
fn an_empty_log_has_no_slot() {
    assert_eq!(View::empty().head(), 0);
}
