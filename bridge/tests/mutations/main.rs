//! Every file of a data directory, flipped, cut, emptied or deleted: the server starts, is never wrong, and
//! serves what does not depend on the damaged object.
//!
//! `FLINKSPARK_SEED` replays a run; with `--long` there are 400 mutations.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failure of the set-up is a failure of the test"
)]

mod populated;
mod watched;

use populated::{Answer, Populated};
use std::fs;
use std::path::{Path, PathBuf};

/// Random numbers that a seed replays (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }
}

fn seed() -> u64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "a failing seed is replayed by it"
    )]
    let given = std::env::var("FLINKSPARK_SEED");
    given.ok().and_then(|seed| seed.parse().ok()).unwrap_or(1)
}

/// What is done to a file.
fn mutate(path: &Path, how: usize, random: &mut Random) -> String {
    let mut bytes = fs::read(path).unwrap();
    let at = random.below(bytes.len().max(1));
    match how {
        0 if !bytes.is_empty() => {
            let bit = random.below(8);
            bytes[at] ^= 1 << bit;
            fs::write(path, bytes).unwrap();
            format!("bit {bit} of byte {at} flipped")
        }
        1 => {
            bytes.truncate(at);
            fs::write(path, bytes).unwrap();
            format!("cut to {at} bytes")
        }
        2 => {
            fs::remove_file(path).unwrap();
            "deleted".into()
        }
        _ => {
            fs::write(path, b"").unwrap();
            "emptied".into()
        }
    }
}

fn files_below(root: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Mutates a copy, starts a server on it and looks at everything. Returns how many datasets were refused.
async fn one(pristine: &Populated, file: &Path, how: usize, random: &mut Random) -> usize {
    let dir = tempfile::tempdir().unwrap();
    copy(pristine.dir(), dir.path());
    let relative = file.strip_prefix(pristine.dir()).unwrap();
    let done = mutate(&dir.path().join(relative), how, random);
    let what = format!("{}: {done}", relative.display());
    let seen = populated::look(dir.path()).await;
    let seen = seen.unwrap_or_else(|error| panic!("{what}: the server does not start: {error}"));
    let mut refused = 0;
    for (name, expected) in pristine.datasets() {
        match &seen.datasets[name] {
            Answer::Rows(found) => assert_eq!(found, expected, "{what}: {name} has other rows"),
            Answer::Refused(error) => {
                assert!(
                    pristine.may_be_refused(name, relative),
                    "{what}: {name} does not depend on it, and is refused: {error}"
                );
                refused += 1;
            }
        }
    }
    for job in pristine.jobs() {
        let state = &seen
            .jobs
            .get(job)
            .unwrap_or_else(|| panic!("{what}: job {job} is gone"));
        let is_its_own = pristine.belongs_to_job(job, relative);
        assert!(
            is_its_own || state.as_str() == "finished",
            "{what}: job {job} is {state}"
        );
    }
    assert_eq!(watched::panics(), Vec::<String>::new(), "{what}");
    refused
}

fn run(mutations: usize) {
    watched::install();
    let seed = seed();
    println!("seed {seed}");
    let mut random = Random(seed);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let pristine = runtime.block_on(Populated::make());
    let files = files_below(pristine.dir());
    let (mut refused, mut unharmed) = (0, 0);
    // Every file at least once where there are enough, each time in another way.
    let offset = random.below(4);
    for number in 0..mutations {
        let file = if mutations >= files.len() {
            &files[number % files.len()]
        } else {
            &files[random.below(files.len())]
        };
        let how = (number / files.len() + number + offset) % 4;
        let count = runtime.block_on(one(&pristine, file, how, &mut random));
        refused += usize::from(count > 0);
        unharmed += usize::from(count == 0);
    }
    println!(
        "{mutations} mutations over {} files: {refused} refused a dataset, {unharmed} none; nothing was wrong",
        files.len()
    );
    assert!(refused > 0 && unharmed > 0, "{refused} and {unharmed}");
}

#[test]
fn sixty_mutations_are_survived() {
    run(60);
}

#[test]
#[ignore = "long: 400 starts of a server"]
fn four_hundred_mutations_are_survived() {
    run(400);
}
