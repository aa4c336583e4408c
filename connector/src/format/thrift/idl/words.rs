//! Names that Thrift takes.
//!
//! Invariant: the names that are made for the fields of a struct are distinct, and no word of Thrift's language or of the
//! languages that its compiler writes.

use arrow_schema::FieldRef;
use std::collections::HashSet;

/// Words that Thrift's compiler keeps for itself or for the languages that it writes, in alphabetical order.
const KEPT: &[&str] = &[
    "BEGIN",
    "END",
    "__CLASS__",
    "__DIR__",
    "__FILE__",
    "__FUNCTION__",
    "__LINE__",
    "__METHOD__",
    "__NAMESPACE__",
    "abstract",
    "alias",
    "and",
    "args",
    "as",
    "assert",
    "async",
    "begin",
    "binary",
    "bool",
    "break",
    "byte",
    "case",
    "catch",
    "class",
    "clone",
    "const",
    "continue",
    "cpp_include",
    "cpp_type",
    "declare",
    "def",
    "default",
    "del",
    "delete",
    "do",
    "double",
    "dynamic",
    "elif",
    "else",
    "elseif",
    "elsif",
    "end",
    "enddeclare",
    "endfor",
    "endforeach",
    "endif",
    "endswitch",
    "endwhile",
    "ensure",
    "enum",
    "except",
    "exception",
    "exec",
    "extends",
    "false",
    "finally",
    "float",
    "for",
    "foreach",
    "from",
    "function",
    "global",
    "goto",
    "i16",
    "i32",
    "i64",
    "i8",
    "if",
    "implements",
    "import",
    "in",
    "include",
    "inline",
    "instanceof",
    "interface",
    "is",
    "lambda",
    "list",
    "map",
    "module",
    "namespace",
    "native",
    "new",
    "next",
    "nil",
    "not",
    "oneway",
    "optional",
    "or",
    "package",
    "pass",
    "print",
    "private",
    "protected",
    "public",
    "raise",
    "redo",
    "register",
    "required",
    "rescue",
    "retry",
    "return",
    "self",
    "service",
    "set",
    "sizeof",
    "slist",
    "static",
    "string",
    "struct",
    "super",
    "switch",
    "synchronized",
    "then",
    "this",
    "throw",
    "throws",
    "transient",
    "true",
    "try",
    "typedef",
    "undef",
    "union",
    "unless",
    "unsigned",
    "until",
    "use",
    "uuid",
    "var",
    "virtual",
    "void",
    "volatile",
    "when",
    "while",
    "with",
    "xor",
    "xsd_all",
    "yield",
];

/// Whether Thrift takes the name for a field.
fn is_name(name: &str) -> bool {
    let letter = |c: char| c == '_' || c.is_ascii_alphabetic();
    name.starts_with(letter)
        && name.chars().all(|c| letter(c) || c.is_ascii_digit())
        && KEPT.binary_search(&name).is_err()
}

/// Names for the fields that Thrift takes: their own where it takes them, else one with `_` for what it does not take,
/// and with the field's number where another field has that name.
pub(super) fn names(fields: &[FieldRef]) -> Vec<String> {
    let own = fields.iter().map(|field| field.name());
    let mut taken: HashSet<String> = own.filter(|name| is_name(name)).cloned().collect();
    let names = fields.iter().enumerate().map(|(at, field)| {
        if is_name(field.name()) {
            return field.name().clone();
        }
        let known = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let mut name: String = field.name().chars().map(known).collect();
        if !is_name(&name) {
            name.insert(0, '_');
        }
        if taken.contains(&name) {
            name = format!("{name}_{}", at + 1);
        }
        while !taken.insert(name.clone()) {
            name.push('_');
        }
        name
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_in_order() {
        assert!(KEPT.is_sorted());
    }
}
