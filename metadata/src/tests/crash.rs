//! A child process is killed with SIGKILL; what it had acknowledged must be there.
//!
//! The test binary runs itself as the child: the test `the_writer_of_a_crash_test` with extra
//! arguments, which the test harness takes for filters that match nothing.

use super::*;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

const CHILD: &str = "tests::crash::the_writer_of_a_crash_test";
const MARKER: &str = "--crash-child--";

/// Registers datasets one after the other and says on stdout which it was told are kept.
fn write(dir: &Path, from: u64, count: u64) -> u64 {
    let catalogue = open(&with_sled(dir)).unwrap();
    block_on(async {
        for n in from..from + count {
            let mut wanted = registration(&format!("d{n}"));
            if n % 7 == 0 {
                wanted.schema = wide_schema(700);
            }
            catalogue.register(wanted).await.unwrap();
            let mut out = io::stdout().lock();
            writeln!(out, "kept {n}")
                .and_then(|()| out.flush())
                .unwrap();
        }
    });
    catalogue.sequence()
}

#[test]
fn the_writer_of_a_crash_test() {
    let arguments: Vec<String> = std::env::args().collect();
    let given = arguments
        .iter()
        .position(|argument| argument.starts_with(MARKER));
    let Some(given) = given.map(|at| arguments[at].split('|').collect::<Vec<_>>()) else {
        // Not a child: it does at least what a child is told to do.
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(write(dir.path(), 0, 3), 3);
        return;
    };
    let [_, dir, from, point, after] = given[..] else {
        panic!("{given:?}")
    };
    kill_at(point, after.parse().unwrap());
    write(Path::new(dir), from.parse().unwrap(), 100_000);
}

/// Lets the process kill itself when it reaches a fail point for the n-th time.
#[cfg(feature = "faults")]
fn kill_at(point: &str, after: usize) {
    let (point, reached) = (point.to_owned(), AtomicUsize::new(0));
    flinkspark_model::fault::install(Some(Box::new(move |at| {
        if at == point && reached.fetch_add(1, Ordering::SeqCst) + 1 == after {
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL)
                .unwrap();
        }
        Ok(())
    })));
}

#[cfg(not(feature = "faults"))]
fn kill_at(_point: &str, _after: usize) {}

fn start(dir: &Path, from: u64, point: &str, after: usize) -> Child {
    let argument = format!("{MARKER}|{}|{from}|{point}|{after}", dir.display());
    Command::new(std::env::current_exe().unwrap())
        // The marker lies behind `--skip`, where the harness takes any text.
        .args([
            "--exact",
            CHILD,
            "--nocapture",
            "--test-threads",
            "1",
            "--skip",
            &argument,
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// What a child says on stdout.
struct Told(BufReader<std::process::ChildStdout>);

impl Told {
    fn by(child: &mut Child) -> Self {
        Self(BufReader::new(child.stdout.take().unwrap()))
    }

    /// The next number that the child was told is kept; `None` when it is dead.
    fn next(&mut self) -> Option<u64> {
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).ok()? == 0 {
                return None;
            }
            // The harness writes its own text in front of the first one; a torn line was not told.
            if let Some(number) = line
                .strip_suffix('\n')
                .and_then(|line| line.split("kept ").nth(1))
            {
                return number.parse().ok();
            }
        }
    }

    fn rest(mut self) -> Vec<u64> {
        std::iter::from_fn(|| self.next()).collect()
    }
}

/// Opens what the child left: all that was acknowledged is there, and nothing that it never tried.
fn check(dir: &Path, kept: &[u64], tried: u64, what: &str) -> u64 {
    let catalogue = open(&with_sled(dir)).unwrap_or_else(|error| panic!("{what}: {error}"));
    block_on(async {
        for n in kept {
            let found = catalogue.lookup(&format!("d{n}").parse().unwrap()).await;
            assert!(found.is_ok(), "{what}: d{n} was acknowledged and is gone");
        }
        let names: Vec<u64> = history(&catalogue)
            .await
            .iter()
            .map(|event| match &event.kind {
                flinkspark_model::port::EventKind::Put(dataset) => {
                    dataset.name.as_str()[1..].parse().unwrap()
                }
                other => panic!("{what}: {other:?}"),
            })
            .collect();
        assert!(
            names.windows(2).all(|pair| pair[0] < pair[1]),
            "{what}: {names:?}"
        );
        assert!(
            names.last().is_none_or(|last| *last <= tried),
            "{what}: a phantom after {tried}: {names:?}"
        );
    });
    catalogue.sequence()
}

#[test]
fn a_kill_at_a_random_moment_takes_nothing_that_was_acknowledged() {
    let random = Seeded::new(11);
    let dir = tempfile::tempdir().unwrap();
    let (mut kept, mut from, mut silent) = (Vec::new(), 0, 0);
    for round in 0..30 {
        let mut child = start(dir.path(), from, "-", 0);
        let mut told = Told::by(&mut child);
        // Every other child lives until its first change is kept, however busy the machine is.
        let first = if round % 2 == 0 { told.next() } else { None };
        let delay = Duration::from_micros(random.below(80_000));
        std::thread::sleep(delay);
        child.kill().unwrap();
        let told: Vec<u64> = first.into_iter().chain(told.rest()).collect();
        child.wait().unwrap();
        silent += u32::from(told.is_empty());
        let tried = told.last().map_or(from, |last| last + 1);
        kept.extend(told);
        check(
            dir.path(),
            &kept,
            tried,
            &format!("round {round}, killed after {delay:?}"),
        );
        from = tried + 1;
    }
    println!(
        "30 kills, {} acknowledged changes, {silent} kills before the first one",
        kept.len()
    );
    assert!(kept.len() >= 15);
}

#[cfg(feature = "faults")]
#[test]
fn a_kill_at_each_named_step_takes_nothing_that_was_acknowledged() {
    use std::os::unix::process::ExitStatusExt;
    let points = [
        "catalog.open.start",
        "catalog.open.replayed",
        "catalog.append.written",
        "catalog.append.synced",
        "catalog.index.applied",
    ];
    let registered = flinkspark_model::fault::POINTS
        .iter()
        .filter(|point| point.starts_with("catalog."));
    assert_eq!(registered.copied().collect::<Vec<_>>(), points);
    let mut kills = 0;
    for point in points {
        let dir = tempfile::tempdir().unwrap();
        let (mut kept, mut from) = (Vec::new(), 0);
        let openings = [1, 1, 1];
        let changes = [1, 2, 9];
        for after in if point.starts_with("catalog.open.") {
            openings
        } else {
            changes
        } {
            let what = format!("{point}, reached {after} times");
            let mut child = start(dir.path(), from, point, after);
            let told = Told::by(&mut child).rest();
            assert_eq!(
                child.wait().unwrap().signal(),
                Some(9),
                "{what}: it was not killed there"
            );
            kills += 1;
            let tried = told.last().map_or(from, |last| last + 1);
            kept.extend(told);
            let sequence = check(dir.path(), &kept, tried, &what);
            if ["catalog.append.synced", "catalog.index.applied"].contains(&point) {
                assert!(
                    sequence > kept.len() as u64,
                    "{what}: a synced change stays, acknowledged or not"
                );
            }
            // The next life begins with something to replay.
            from = tried + 1;
            write_quietly(dir.path(), from);
            kept.push(from);
            from += 1;
        }
    }
    println!("{kills} kills at named steps");
    assert_eq!(kills, 15);
}

#[cfg(feature = "faults")]
fn write_quietly(dir: &Path, n: u64) {
    let catalogue = open(&with_sled(dir)).unwrap();
    block_on(catalogue.register(registration(&format!("d{n}")))).unwrap();
}
