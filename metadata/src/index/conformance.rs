//! The contract of [`Index`], run by each implementation.

use super::*;

fn key(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

fn put(batch: &mut Batch, tree: Tree, at: &str, value: &str) {
    batch.0.insert((tree, key(at)), Some(key(value)));
}

fn applied(sequence: u64) -> Applied {
    Applied {
        journal: [7; 16],
        sequence,
    }
}

fn contract(index: &dyn Index) {
    assert_eq!(index.applied().unwrap(), Applied::default());
    assert_eq!(index.get(Tree::Names, b"a").unwrap(), None);

    let mut batch = Batch::default();
    for name in ["a", "a.b", "a.c", "ab", "b"] {
        put(&mut batch, Tree::Names, name, &format!("id of {name}"));
    }
    put(&mut batch, Tree::Handles, "a", "a handle");
    index.apply(&batch, applied(3)).unwrap();
    assert_eq!(index.applied().unwrap(), applied(3));
    assert_eq!(
        index.get(Tree::Names, b"a.b").unwrap(),
        Some(key("id of a.b"))
    );
    assert_eq!(
        index.get(Tree::Handles, b"a").unwrap(),
        Some(key("a handle")),
        "trees are apart"
    );
    assert_eq!(index.get(Tree::Heads, b"a").unwrap(), None);

    let names = |prefix: &str, after: Option<&str>, limit: usize| -> Vec<String> {
        let entries = index
            .scan(
                Tree::Names,
                prefix.as_bytes(),
                after.map(str::as_bytes),
                limit,
            )
            .unwrap();
        entries
            .into_iter()
            .map(|(key, _)| String::from_utf8(key).unwrap())
            .collect()
    };
    assert_eq!(names("", None, 9), ["a", "a.b", "a.c", "ab", "b"]);
    assert_eq!(names("a.", None, 9), ["a.b", "a.c"]);
    assert_eq!(names("a", Some("a.b"), 1), ["a.c"]);
    assert_eq!(
        names("a.", Some("a"), 9),
        ["a.b", "a.c"],
        "an earlier key does not widen the prefix"
    );
    assert!(names("a", Some("b"), 9).is_empty());
    assert!(names("", None, 0).is_empty());

    let mut batch = Batch::default();
    batch.0.insert((Tree::Names, key("a.b")), None);
    batch.0.insert((Tree::Names, key("absent")), None);
    put(&mut batch, Tree::Names, "a.c", "changed");
    index.apply(&batch, applied(4)).unwrap();
    assert_eq!(names("a", None, 9), ["a", "a.c", "ab"]);
    assert_eq!(
        index.get(Tree::Names, b"a.c").unwrap(),
        Some(key("changed"))
    );
    assert_eq!(index.applied().unwrap(), applied(4));

    let mut batch = Batch::default();
    put(&mut batch, Tree::Names, "small", "x");
    put(
        &mut batch,
        Tree::Datasets,
        "large",
        &"x".repeat(VALUE_BYTES_MAX),
    );
    assert!(matches!(
        index.apply(&batch, applied(5)),
        Err(Error::TooLarge(_))
    ));
    assert_eq!(
        index.get(Tree::Names, b"small").unwrap(),
        None,
        "a refused batch leaves nothing"
    );
    assert_eq!(index.applied().unwrap(), applied(4));
}

#[test]
fn memory_keeps_the_contract() {
    contract(&MemoryIndex::default());
}

#[test]
fn sled_keeps_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    contract(&SledIndex::open(dir.path(), 1 << 20).unwrap());
}

#[test]
fn sled_is_found_again_as_it_was_left() {
    let dir = tempfile::tempdir().unwrap();
    let index = SledIndex::open(dir.path(), 1 << 20).unwrap();
    let mut batch = Batch::default();
    put(&mut batch, Tree::Edges, "k", "v");
    index.apply(&batch, applied(9)).unwrap();
    drop(index);
    let index = SledIndex::open(dir.path(), 1 << 20).unwrap();
    index.check().unwrap();
    assert_eq!(index.applied().unwrap(), applied(9));
    assert_eq!(index.get(Tree::Edges, b"k").unwrap(), Some(key("v")));
}
