//! The decision over grants.

use super::*;
use proptest::prelude::*;

fn name(text: &str) -> DatasetName {
    DatasetName::new(text).unwrap()
}

fn caller(grants: &[&str]) -> Caller {
    let grants: Vec<Grant> = grants.iter().map(|grant| grant.parse().unwrap()).collect();
    Caller::granted(Principal::new("ann").unwrap(), grants)
}

#[test]
fn a_grant_covers_whole_parts_of_names() {
    let ann = caller(&["web:read,write", "lab.x-1:create"]);
    for (verb, dataset, allowed) in [
        (Verb::Read, "web", true),
        (Verb::Read, "web.clicks", true),
        (Verb::Write, "web.clicks.eu", true),
        (Verb::Read, "webs", false),
        (Verb::Read, "web-2", false),
        (Verb::Read, "we", false),
        (Verb::Read, "Web", false),
        (Verb::Read, "a.web", false),
        (Verb::Create, "web.new", false),
        (Verb::Admin, "web", false),
        (Verb::Create, "lab.x-1", true),
        (Verb::Create, "lab.x-1.y", true),
        (Verb::Create, "lab.x-10", false),
        (Verb::Create, "lab", false),
        (Verb::Read, "lab.x-1", false),
    ] {
        let decided = ann.may(verb, &name(dataset));
        assert_eq!(decided.is_ok(), allowed, "{} {dataset}", verb.name());
        if let Err(error) = decided {
            assert_eq!((error.kind(), error.code()), (Kind::Forbidden, "FS1103"));
        }
    }
    assert!(ann.sees(&name("lab.x-1")).is_ok() && ann.sees(&name("lab")).is_err());
}

#[test]
fn admin_is_all_verbs_and_only_over_everything_the_bridge() {
    for verb in Verb::ALL {
        assert!(caller(&["web:admin"]).may(verb, &name("web.a")).is_ok());
        assert!(caller(&["*:admin"]).may(verb, &name("x")).is_ok());
    }
    assert!(caller(&["*:admin"]).administers().is_ok());
    for less in [&["web:admin"][..], &["*:read,write,create"], &[]] {
        assert_eq!(caller(less).administers().unwrap_err().code(), "FS1103");
    }
}

#[test]
fn an_open_bridge_allows_everything_and_an_unknown_caller_nothing() {
    for verb in Verb::ALL {
        assert!(Caller::open().may(verb, &name("x")).is_ok());
        let error = Caller::unknown().may(verb, &name("x")).unwrap_err();
        assert_eq!((error.kind(), error.code()), (Kind::Unauthorized, "FS1102"));
    }
    assert!(Caller::open().administers().is_ok() && Caller::unknown().administers().is_err());
    assert!(Caller::unknown().sees(&name("x")).is_err());
}

#[test]
fn what_is_no_grant_is_refused_with_what_is_wrong() {
    for bad in [
        "",
        "web",
        ":read",
        "web:",
        "web:read,",
        "web:reads",
        "web:Read",
        "*.x:read",
        "**:read",
        "web*:read",
        "web..x:read",
        ".web:read",
        "web.:read",
        "web:read write",
        "web :read",
        "a:b:read",
    ] {
        let error = bad.parse::<Grant>().unwrap_err();
        assert_eq!(
            (error.kind(), error.code()),
            (Kind::Invalid, "FS1101"),
            "{bad}"
        );
    }
    assert_eq!(
        "web:write,read,read".parse::<Grant>().unwrap().to_string(),
        "web:read,write"
    );
}

#[test]
fn what_is_no_principal_is_refused() {
    let long = "x".repeat(PRINCIPAL_BYTES_MAX + 1);
    for bad in [
        "",
        " ",
        "a b",
        "a:b",
        "a\n",
        "ä",
        "a/b",
        "\0",
        long.as_str(),
    ] {
        assert_eq!(Principal::new(bad).unwrap_err().code(), "FS1101", "{bad:?}");
    }
    for good in ["ann", "ann@example.org", "A-1_b.c", &long[1..]] {
        assert_eq!(Principal::new(good).unwrap().as_str(), good);
    }
    assert!(Principal::admin().is_reserved() && !Principal::new("Admin").unwrap().is_reserved());
}

fn part() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "ab", "a-", "b", "A"]).prop_map(String::from)
}

fn dotted() -> impl Strategy<Value = String> {
    prop::collection::vec(part(), 1..4).prop_map(|parts| parts.join("."))
}

fn grant() -> impl Strategy<Value = Grant> {
    let prefix = prop_oneof![
        1 => Just(Prefix::All),
        9 => dotted().prop_map(|text| Prefix::Below(name(&text))),
    ];
    let verbs = prop::sample::subsequence(Verb::ALL.to_vec(), 1..=4);
    (prefix, verbs).prop_map(|(prefix, verbs)| Grant::new(prefix, Verbs::new(verbs).unwrap()))
}

proptest! {
    /// The rule as it is said, over parts instead of bytes.
    #[test]
    fn a_caller_may_what_a_grant_says_and_nothing_else(
        grants in prop::collection::vec(grant(), 0..5),
        dataset in dotted(),
        verb in prop::sample::select(Verb::ALL.to_vec()),
    ) {
        let parts: Vec<&str> = dataset.split('.').collect();
        let expected = grants.iter().any(|grant| {
            let covered = match grant.prefix() {
                Prefix::All => true,
                Prefix::Below(prefix) => {
                    let prefix: Vec<&str> = prefix.as_str().split('.').collect();
                    parts.len() >= prefix.len() && parts[..prefix.len()] == prefix[..]
                }
            };
            covered && (grant.verbs().has(verb) || grant.verbs().has(Verb::Admin))
        });
        let ann = Caller::granted(Principal::new("ann").unwrap(), grants.clone());
        prop_assert_eq!(ann.may(verb, &name(&dataset)).is_ok(), expected);
        if expected {
            prop_assert!(ann.sees(&name(&dataset)).is_ok());
        }
        // More grants never take a right away.
        let more: Vec<Grant> = grants.into_iter().chain(["a.b:read".parse().unwrap()]).collect();
        let more = Caller::granted(Principal::new("ann").unwrap(), more);
        prop_assert!(!expected || more.may(verb, &name(&dataset)).is_ok());
    }

    #[test]
    fn a_grant_survives_its_text(grant in grant()) {
        prop_assert_eq!(grant.to_string().parse::<Grant>().unwrap(), grant);
    }
}
