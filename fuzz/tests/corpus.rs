//! Replays every seed and every input that fuzzing kept: none may panic, and none may take more than its bound.
//!
//! One test in a process of its own: the allocator counts what every thread takes.

use flinkspark_fuzz::seeds;
use flinkspark_fuzz::targets::TARGETS;
use std::path::Path;

#[test]
fn every_kept_input_is_held_to_its_bound() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut missed = Vec::new();
    for target in TARGETS {
        let seeds = seeds::of(target.name).unwrap();
        assert!(!seeds.is_empty(), "{} has no seeds", target.name);
        let seeds = seeds.into_iter().enumerate();
        let mut inputs: Vec<(String, Vec<u8>)> = seeds
            .map(|(number, input)| (format!("seed {number}"), input))
            .collect();
        let folder = corpus.join(target.name);
        let entries = std::fs::read_dir(&folder);
        let entries = entries.unwrap_or_else(|cause| panic!("{}: {cause}", folder.display()));
        let before = inputs.len();
        for entry in entries {
            let path = entry.unwrap().path();
            inputs.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
        assert!(inputs.len() > before, "{} is empty", folder.display());
        for (name, input) in inputs {
            // Said before it runs: an abort leaves no other trace.
            eprintln!("{}: {name}", target.name);
            if let Err(why) = target.hold(&input) {
                missed.push(format!("{}: {name}: {why}", target.name));
            }
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}
