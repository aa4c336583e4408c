//! The door, on a folder of its own, with a clock that the test moves.

use super::*;
use crate::system::SystemEntropy;
use flinkspark_model::access::Verb;
use flinkspark_model::name::DatasetName;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicU64, Ordering};

struct Hand(AtomicU64);

impl Clock for Hand {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A folder and whoever opens it.
pub(super) struct Bench {
    dir: tempfile::TempDir,
    clock: Arc<Hand>,
    damage: Damage,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            clock: Arc::new(Hand(AtomicU64::new(1_000))),
            damage: Damage::default(),
        }
    }

    pub(super) fn open(&self) -> Access {
        let clock: Arc<dyn Clock> = self.clock.clone();
        Access::open(
            self.dir.path(),
            clock,
            Arc::new(SystemEntropy),
            self.damage.clone(),
        )
        .unwrap()
    }

    fn admin(&self) -> String {
        let text = std::fs::read_to_string(self.dir.path().join(ADMIN_FILE)).unwrap();
        format!("Bearer {}", text.trim())
    }
}

pub(super) fn make(access: &Access, principal: &str, grants: &[&str], life: Option<u64>) -> String {
    let grants = grants.iter().map(|grant| grant.parse().unwrap()).collect();
    let principal = Principal::new(principal).unwrap();
    let (secret, _) = access.create(principal, grants, life).unwrap();
    secret.expose().to_owned()
}

fn bearer(secret: &str) -> String {
    format!("Bearer {secret}")
}

fn who(access: &Access, header: &str) -> Result<Caller> {
    access
        .enter(Some(header.as_bytes()))
        .map(|entered| entered.caller)
}

fn code(result: Result<Caller>) -> String {
    result.unwrap_err().code().to_owned()
}

#[test]
fn the_first_token_closes_the_bridge_and_taking_the_last_away_does_not_open_it() {
    let bench = Bench::new();
    let access = bench.open();
    assert!(access.enter(None).unwrap().caller.is_open());
    assert!(!bench.dir.path().join(ADMIN_FILE).exists());
    let ann = make(&access, "ann", &["web:read"], None);
    for access in [&access, &bench.open()] {
        assert_eq!(
            access
                .enter(None)
                .map(|entered| entered.caller)
                .map_err(|e| e.code().to_owned())
                .unwrap_err(),
            "FS1102"
        );
        let caller = who(access, &bearer(&ann)).unwrap();
        assert_eq!(caller.principal().as_str(), "ann");
        assert!(
            caller
                .may(Verb::Read, &DatasetName::new("web.a").unwrap())
                .is_ok()
        );
        assert!(caller.administers().is_err());
        assert!(who(access, &bench.admin()).unwrap().administers().is_ok());
    }
    access.revoke("ann").unwrap();
    for access in [&access, &bench.open()] {
        assert_eq!(code(who(access, &bearer(&ann))), "FS1102");
        assert!(!access.is_open());
        assert!(who(access, &bench.admin()).is_ok());
    }
}

#[test]
fn what_is_not_exactly_a_known_token_lets_nobody_in() {
    let bench = Bench::new();
    let access = bench.open();
    let ann = make(&access, "ann", &["*:read"], None);
    let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
    for header in [
        bearer(&ann),
        format!("bearer {ann}"),
        format!("BEARER  {ann} "),
        basic(&format!("ann:{ann}")),
    ] {
        assert!(who(&access, &header).is_ok(), "{header}");
    }
    let other = Secret::new(&SystemEntropy).expose().to_owned();
    let long = format!("Bearer {}", "f".repeat(HEADER_BYTES_MAX));
    for header in [
        "",
        "Bearer",
        "Bearer ",
        "Basic ",
        "Basic !!!",
        "Digest x",
        &ann,
        &bearer(&other),
        &bearer(&ann[1..]),
        &bearer(&ann[..ann.len() - 1]),
        &bearer(&format!("{ann}A")),
        &bearer(&ann.to_uppercase()),
        &basic(&ann),
        &basic(&format!("bob:{ann}")),
        &basic(&format!(":{ann}")),
        &basic("ann:"),
        &long,
        "Bearer \u{e9}",
    ] {
        let error = who(&access, header).unwrap_err();
        assert_eq!(
            (error.kind(), error.code()),
            (Kind::Unauthorized, "FS1102"),
            "{header}"
        );
        assert!(!error.to_string().contains(&ann), "{error}");
    }
    assert_eq!(
        access
            .enter(Some(b"Bearer \xff"))
            .map(|_| ())
            .unwrap_err()
            .code(),
        "FS1102"
    );
}

#[test]
fn a_token_ends_when_it_says_and_others_go_on() {
    let bench = Bench::new();
    let access = bench.open();
    let short = make(&access, "ann", &["*:read"], Some(500));
    let endless = make(&access, "ann", &["*:read"], None);
    let pass = access.enter(Some(bearer(&short).as_bytes())).unwrap().pass;
    bench.clock.0.store(1_499, Ordering::Relaxed);
    assert!(who(&access, &bearer(&short)).is_ok() && access.again(&pass).is_ok());
    bench.clock.0.store(1_500, Ordering::Relaxed);
    assert_eq!(code(who(&access, &bearer(&short))), "FS1104");
    assert_eq!(access.again(&pass).unwrap_err().code(), "FS1104");
    assert!(who(&access, &bearer(&endless)).is_ok());
}

#[test]
fn one_token_of_a_principal_goes_by_its_id_and_all_by_the_name() {
    let bench = Bench::new();
    let access = bench.open();
    let secrets: Vec<String> = ["ann", "ann", "bob"]
        .map(|who| make(&access, who, &["*:read"], None))
        .to_vec();
    let ids: Vec<String> = access.tokens().into_iter().map(|token| token.id).collect();
    access.revoke(&ids[0]).unwrap();
    let alive = |access: &Access| -> Vec<bool> {
        secrets
            .iter()
            .map(|secret| who(access, &bearer(secret)).is_ok())
            .collect()
    };
    assert_eq!(alive(&access), [false, true, true]);
    access.revoke("ann").unwrap();
    assert_eq!(alive(&bench.open()), [false, false, true]);
    for nobody in ["ann", "", "x", &ids[0]] {
        assert_eq!(
            access.revoke(nobody).map(|_| ()).unwrap_err().code(),
            "FS1109",
            "{nobody}"
        );
    }
}

#[test]
fn no_flipped_bit_and_no_cut_of_the_file_lets_anybody_but_the_admin_in() {
    let bench = Bench::new();
    let ann = make(&bench.open(), "ann", &["*:admin"], None);
    let file = bench.dir.path().join("tokens");
    let good = std::fs::read(&file).unwrap();
    assert!(!String::from_utf8_lossy(&good).contains(&ann[4..]));
    let mut bad: Vec<Vec<u8>> = (0..good.len()).map(|end| good[..end].to_vec()).collect();
    for at in 0..good.len() {
        let mut flipped = good.clone();
        flipped[at] ^= 1 << (at % 8);
        bad.push(flipped);
    }
    for bytes in &bad {
        std::fs::write(&file, bytes).unwrap();
        let access = bench.open();
        assert!(!access.is_open());
        assert_eq!(code(who(&access, &bearer(&ann))), "FS1102");
        assert!(who(&access, &bench.admin()).is_ok());
        assert_eq!(bench.damage.all().len(), 1);
    }
    std::fs::remove_file(&file).unwrap();
    let access = bench.open();
    assert!(!access.is_open() && who(&access, &bearer(&ann)).is_err());
    assert_eq!(
        access.revoke("ann").map(|_| ()).unwrap_err().code(),
        "FS1106"
    );
    std::fs::write(&file, &bad[3]).unwrap();
    let access = bench.open();
    let bob = make(&access, "bob", &["*:read"], None);
    assert!(who(&bench.open(), &bearer(&bob)).is_ok() && bench.damage.all().is_empty());
    assert_eq!(
        std::fs::read(bench.dir.path().join("tokens.damaged")).unwrap(),
        bad[3]
    );
}

#[test]
fn a_newer_format_and_a_stranger_among_the_tokens_are_damage() {
    for json in [
        r#"{"format":2,"tokens":[]}"#,
        r#"{"format":1,"tokens":[],"more":1}"#,
        r#"{"format":1,"tokens":[{"sha256":"00","principal":"ann","grants":["*:read"],"created_at_ms":1}]}"#,
        &format!(
            r#"{{"format":1,"tokens":[{{"sha256":"{}","principal":"admin","grants":["*:admin"],"created_at_ms":1}}]}}"#,
            "0".repeat(64)
        ),
    ] {
        let bench = Bench::new();
        let sum = flinkspark_model::checksum::crc32c(json.as_bytes());
        std::fs::write(
            bench.dir.path().join("tokens"),
            format!("{json}\ncrc32c {sum:08x}\n"),
        )
        .unwrap();
        let access = bench.open();
        assert!(
            !access.is_open() && who(&access, &bench.admin()).is_ok(),
            "{json}"
        );
        assert_eq!(bench.damage.all()[0].1.code(), "FS1106");
    }
}

#[test]
fn what_no_token_can_have_is_refused_and_leaves_the_bridge_open() {
    let bench = Bench::new();
    let access = bench.open();
    let read: Grant = "web:read".parse().unwrap();
    let ann = Principal::new("ann").unwrap();
    let cases = [
        (Principal::admin(), vec![read.clone()], None),
        (Principal::anonymous(), vec![read.clone()], None),
        (ann.clone(), vec![], None),
        (ann.clone(), vec![read.clone(); GRANTS_MAX + 1], None),
        (ann.clone(), vec![read.clone()], Some(0)),
    ];
    for (principal, grants, life) in cases {
        let error = access
            .create(principal, grants, life)
            .map(|_| ())
            .unwrap_err();
        assert_eq!((error.kind(), error.code()), (Kind::Invalid, "FS1108"));
    }
    assert!(access.is_open() && bench.open().is_open());
    access
        .create(ann, vec![read; GRANTS_MAX], Some(u64::MAX))
        .unwrap();
}

#[test]
fn the_files_are_their_owners_and_show_no_secret_but_the_admins() {
    let bench = Bench::new();
    let access = bench.open();
    let ann = make(&access, "ann", &["*:read"], None);
    for name in ["tokens", ADMIN_FILE] {
        let path = bench.dir.path().join(name);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
        assert!(!std::fs::read_to_string(&path).unwrap().contains(&ann));
    }
    let admin = bench.admin();
    drop(bench.open());
    assert_eq!(bench.admin(), admin, "it stays the same");
    std::fs::write(bench.dir.path().join(ADMIN_FILE), "torn").unwrap();
    let access = bench.open();
    assert_ne!(bench.admin(), admin);
    assert!(who(&access, &bench.admin()).is_ok() && who(&access, &admin).is_err());
    let secret = Secret::parse(&ann).unwrap();
    assert_eq!(format!("{secret:?}"), "Secret");
}
