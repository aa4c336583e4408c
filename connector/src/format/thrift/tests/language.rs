//! The language of IDLs: what is read, and what is refused with its place.

use super::*;

#[test]
fn the_language_is_read() {
    let idl = r#"
        #!/usr/bin/env thrift
        // A line, # another, /* not a third
        /* A comment
           over lines */ /** and a text for the reader */
        namespace java org.example   namespace * example
        namespace py "some.where" (a = "b")
        cpp_include "vector"
        typedef list<string> Words (a = "b");
        const map<string, list<i32>> TABLE = {"a": [1, 2; 3], 'b': []}
        const double TINY = -1.5e-3;
        const i64 MANY = +0x7F,
        enum Kind { A, B = 0x10 (deprecated), C; } (x = "y")
        service Calls extends shared.Base { oneway void ping(1: i32 a) throws (1: Broken b), i32 add(1: i32 a, 2: i32 b) } (z)
        exception Broken { 1: string why }
        union Either { 1: i32 a; 2: string b }
        struct Row xsd_all {
            1: required bool yes (a = "b", c = 'd';)
            2: optional Words words = [];
            -3: i32 below
        }
    "#;
    let refused = |idl: &str, says: &str| {
        let error = schema_of(idl).unwrap_err();
        assert_eq!(
            (error.kind(), error.code()),
            (Kind::Invalid, "FS0318"),
            "{error}"
        );
        let detail = error.detail().unwrap();
        assert!(detail.starts_with("line "), "{detail}");
        assert!(detail.contains(says), "{detail}");
    };
    refused(idl, "line 20, column 13: -3 is no number of a field");
    refused(
        &idl.replace("-3:", "3:"),
        "its default is none that can be applied",
    );
    let schema = schema_of(&idl.replace("-3:", "3:").replace(" = [];", ";")).unwrap();
    assert_eq!(schema.fields().len(), 3);
    assert_eq!(schema.field(2).name(), "below");
}

#[test]
fn what_is_not_read_is_refused_with_its_place() {
    let deep = format!(
        "struct R {{ 1: {}i32{} a }}",
        "list<".repeat(40),
        ">".repeat(40)
    );
    let deeper = format!("struct R {{ 1: {}i32 a", "list<".repeat(100_000));
    let values = format!("const i32 A = {}", "[".repeat(100_000));
    let chain = (0..50_000)
        .map(|n| format!("typedef T{} T{n} ", n + 1))
        .collect::<String>();
    let chain = format!("{chain} struct R {{ 1: T0 a }}");
    let structs = (0..50_000)
        .map(|n| format!("struct S{n} {{ 1: S{} a }} ", n + 1))
        .collect::<String>();
    let doubled = (0..40)
        .map(|n| format!("struct S{n} {{ 1: S{m} a, 2: S{m} b }} ", m = n + 1))
        .collect::<String>();
    let doubled = format!("{doubled} struct S40 {{ 1: i32 a }}");
    let wide = (1..=100)
        .map(|n| format!("{n}: A f{n} "))
        .collect::<String>();
    let inner = (1..=400)
        .map(|n| format!("{n}: i32 f{n} "))
        .collect::<String>();
    let wide = format!("struct A {{ {inner} }} struct R {{ {wide} }}");
    for (idl, says) in [
        ("", "no struct that no other refers to"),
        (
            "struct R { 1: i32 a",
            "line 1, column 20: a field has no number",
        ),
        ("include \"a.thrift\"", "an included file is not read"),
        (
            "struct R { 1: Nowhere a }",
            "column 15: the type \"Nowhere\" is not defined",
        ),
        ("struct R { i32 a }", "a field has no number"),
        (
            "struct R { 1: i32 a 1: i32 b }",
            "the number 1 is there twice",
        ),
        (
            "struct R { 1: i32 a 2: i32 a }",
            "the name \"a\" is there twice",
        ),
        ("struct R { 40000: i32 a }", "40000 is no number of a field"),
        ("struct R { 0: i32 a }", "0 is no number of a field"),
        (
            "struct A { 1: i32 a } struct A { 1: i32 a }",
            "\"A\" is defined twice",
        ),
        (
            "union U { 1: i32 a } struct R { 1: U u }",
            "the union U is not read",
        ),
        ("struct R { 1: list<R> a }", "R holds values of itself"),
        (
            "typedef A B typedef B A struct R { 1: A a }",
            "holds values of itself",
        ),
        ("struct R { 1: i32 & a }", "(&) is not read"),
        (
            "struct R { 1: i8 a = 128 }",
            "its default is none that can be applied",
        ),
        ("struct R { 1: uuid a = \"x\" }", "its default is none"),
        ("struct R { 1: list<i32> a = [1] }", "its default is none"),
        ("struct R { 1: i32 a = NOWHERE }", "its default is none"),
        (
            "const i32 A = B const i32 B = A struct R { 1: i32 a = A }",
            "its default is none",
        ),
        (
            "enum E { A = 1, B = 1 } struct R { 1: E a }",
            "B has the number 1 of another word",
        ),
        ("enum E { A, A }", "A is there twice"),
        ("enum E { A = 2147483647, B }", "more than 32 bits"),
        (
            "struct R { 1: i32 a (flinkspark.type = \"timestamp[us]\") }",
            "no value of timestamp[us] stands where its type is int32",
        ),
        (
            "struct R { 1: string a (flinkspark.type = \"decimal128(3,0)\") }",
            "no value of decimal128(3,0) stands where its type is utf8",
        ),
        (
            "struct R { 1: i32 a (flinkspark.type = \"moment\") }",
            "\"moment\" is no type",
        ),
        (
            "struct R { 1: i32 a (flinkspark.typ = \"int32\") }",
            "flinkspark.typ has no meaning here",
        ),
        (
            "struct R { 1: i32 a (flinkspark.name = \"x\", flinkspark.name = \"y\") }",
            "there twice",
        ),
        (
            "struct R { 1: i32 a } (flinkspark.metadata = \"[]\")",
            "no object of texts",
        ),
        ("struct R { 1: i32 a = \"x }", "a text does not end"),
        (
            "struct R { 1: i32 a = \"\\x\" }",
            "an escape that Thrift does not know",
        ),
        ("/* no end", "a comment does not end"),
        (
            "struct R { 1: i32 a = 99999999999999999999 }",
            "no number of 64 bits",
        ),
        ("struct R { 1: i32 a } @", "\"@\" has no meaning here"),
        ("senum S { \"a\" }", "a definition is missing"),
        ("service S { void a()", "a service does not end"),
        (&deep, "types may be nested 32 levels deep"),
        (&deeper, "types are nested too deep"),
        (&values, "values are nested too deep"),
        (&chain, "refer to one another 128 times"),
        (&structs, "refer to one another 128 times"),
        (&doubled, "a schema has at most 32768 fields"),
        (&wide, "a schema has at most 32768 fields"),
        (&" ".repeat((4 << 20) + 1), "the limit is 4194304"),
    ] {
        let error = schema_of(idl).unwrap_err();
        let idl = &idl[..idl.len().min(60)];
        assert_eq!(
            (error.kind(), error.code()),
            (Kind::Invalid, "FS0318"),
            "{idl}"
        );
        assert!(error.detail().unwrap().contains(says), "{idl}: {error}");
    }
}

#[test]
fn names_that_no_dataset_may_have_are_refused_in_files_too() {
    for (name, code) in [("", "FS0124"), ("a\\nb", "FS0125")] {
        let idl = format!("struct R {{ 1: i32 a (flinkspark.name = \"{name}\") }}");
        assert_eq!(schema_of(&idl).unwrap_err().code(), code);
    }
}
