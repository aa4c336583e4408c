//! Parts: one commit out of pieces.

use super::*;

fn part(index: u32, of: u32, to: u64) -> Part {
    Part {
        writer: writer(),
        n: 1,
        index,
        of,
        run: format!("run {index}"),
        source_offsets: SourceOffsets::of(format!("in{index}"), to),
        schema_version: 1,
        segments: vec![segment(&format!("p{index}"))],
    }
}

fn conflict(parts: &[Part]) -> String {
    match assemble(parts, 1) {
        Assembly::Conflict(text) => text,
        other => panic!("{other:?} is no conflict"),
    }
}

#[test]
fn missing_parts_are_named() {
    assert_eq!(assemble(&[], 1), Assembly::Waiting(vec![0]));
    assert_eq!(assemble(&[part(1, 3, 5)], 1), Assembly::Waiting(vec![0, 2]));
}

#[test]
fn the_same_parts_are_the_same_commit_in_any_order_and_number() {
    let (a, b) = (part(0, 2, 5), part(1, 2, 6));
    let one = assemble(&[a.clone(), b.clone()], 4);
    let other = assemble(&[b.clone(), a.clone(), b], 4);
    assert_eq!(one, other);
    let Assembly::Ready(commit) = one else {
        panic!("two of two are there")
    };
    assert_eq!((commit.generation, commit.segments.len()), (4, 2));
    assert_eq!(commit.source_offsets.to_string(), "in0=5, in1=6");
}

#[test]
fn parts_of_different_commits_are_a_conflict() {
    let later = Part {
        n: 2,
        ..part(1, 2, 5)
    };
    conflict(&[part(0, 2, 5), later]);
    conflict(&[part(0, 2, 5), part(1, 3, 5)]);
    conflict(&[part(2, 2, 5)]);
    let evolved = Part {
        schema_version: 2,
        ..part(1, 2, 5)
    };
    conflict(&[part(0, 2, 5), evolved]);
}

#[test]
fn one_part_with_two_contents_is_a_conflict() {
    conflict(&[part(0, 2, 5), part(0, 2, 6)]);
    let restaged = Part {
        segments: vec![segment("again")],
        ..part(0, 2, 5)
    };
    conflict(&[part(0, 2, 5), restaged]);
}

#[test]
fn parts_that_disagree_about_a_source_are_a_conflict() {
    let (mut a, mut b) = (part(0, 2, 5), part(1, 2, 5));
    a.source_offsets = SourceOffsets::of("in", 5);
    b.source_offsets = SourceOffsets::of("in", 6);
    assert!(conflict(&[a, b]).contains("source in"));
}
