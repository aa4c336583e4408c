//! The driver: libFuzzer over one target, which the environment names.
//!
//! `cargo xtask fuzz` builds it with the compiler's coverage and runs it. It holds each input to its target's bound
//! and hands libFuzzer the mutations of the target's shape. Invariant: it ends on the first finding.

#![no_main]

use flinkspark_fuzz::mutate::{self, Random};
use flinkspark_fuzz::seeds;
use flinkspark_fuzz::targets::{self, Target};
use std::backtrace::Backtrace;
use std::collections::HashSet;
use std::panic;
use std::path::Path;
use std::process;
use std::sync::{Mutex, OnceLock, PoisonError};

/// Names the target.
const TARGET: &str = "FLINKSPARK_FUZZ_TARGET";
/// Names a folder into which the target's seeds are written first; absent for none.
const SEEDS: &str = "FLINKSPARK_FUZZ_SEEDS";

fn give_up(why: &str) -> ! {
    eprintln!("fuzz: {why}");
    process::exit(2)
}

#[expect(clippy::disallowed_methods, reason = "libFuzzer owns the command line")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn target() -> &'static Target {
    static CHOSEN: OnceLock<&Target> = OnceLock::new();
    CHOSEN.get_or_init(|| {
        let name = variable(TARGET).unwrap_or_default();
        targets::named(&name)
            .unwrap_or_else(|| give_up(&format!("{TARGET} names no target: \"{name}\"")))
    })
}

fn prepare() {
    watch_panics();
    let target = target();
    let Some(folder) = variable(SEEDS) else {
        return;
    };
    let written = seeds::of(target.name).and_then(|inputs| {
        for (number, input) in inputs.iter().enumerate() {
            std::fs::write(Path::new(&folder).join(format!("seed-{number:04}")), input)?;
        }
        Ok(())
    });
    if let Err(cause) = written {
        give_up(&format!("the seeds of {}: {cause}", target.name));
    }
}

/// A panic is a finding, but where a file's reader expects one of the library that decodes it and makes it an error:
/// there its place is said once.
fn watch_panics() {
    let finding = panic::take_hook();
    let known = Mutex::new(HashSet::new());
    panic::set_hook(Box::new(move |panic| {
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.contains(&place) {
            return;
        }
        // Only the sources of libraries have absolute paths.
        let library = Path::new(&place).is_absolute();
        let made_an_error = || {
            let trace = Backtrace::force_capture().to_string();
            trace.contains("guarded<") && !trace.contains("walled<")
        };
        if library && made_an_error() {
            eprintln!("fuzz: the library's panic was made an error: {panic}");
            known.insert(place);
            return;
        }
        drop(known);
        finding(panic);
    }));
}

libfuzzer_sys::fuzz_target!(init: prepare(), |input: &[u8]| {
    if let Err(why) = target().hold(input) {
        eprintln!("fuzz: {why}");
        process::abort();
    }
});

libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let mut own = |bytes: &mut Vec<u8>, bytes_max: usize| {
        let length = bytes.len();
        let room = bytes_max.max(length).max(1);
        bytes.resize(room, 0);
        let length = libfuzzer_sys::fuzzer_mutate(bytes, length, room);
        bytes.truncate(length);
    };
    let input = data.get(..size).unwrap_or_default();
    let bytes_max = max_size.min(data.len());
    let output = mutate::mutate(
        target().shape,
        input,
        bytes_max,
        &mut Random::new(seed),
        &mut own,
    );
    let length = output.len().min(bytes_max);
    data[..length].copy_from_slice(&output[..length]);
    length
});
