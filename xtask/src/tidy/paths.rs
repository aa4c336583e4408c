//! Which items of its own crate a source file names, read from its text.
//!
//! It reads the `use` declarations, and every path in the code that begins with `crate`, `self`, `super` or a name that a
//! `use` brought in; not what a macro makes, and not what is called as a method. Code under `#[cfg(test)]` does not
//! count. Invariant: a path that is given out is absolute; its first segment is the crate's folder.

use std::collections::BTreeMap;

/// An absolute path: the crate's folder, modules from the outside in, and an item.
pub(super) type Path = Vec<String>;

/// What one file says of other modules.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Named {
    /// What its `use` declarations call by which name.
    pub(super) imports: BTreeMap<String, Path>,
    /// Every path, each with its line, imports too.
    pub(super) paths: Vec<(Path, usize)>,
}

/// What the production code of the file of `module` names.
pub(super) fn read(module: &[String], text: &str) -> Named {
    let tokens = without_tests(tokens(text));
    let mut reader = Reader {
        module,
        tokens: &tokens,
        inline: Vec::new(),
        depth: 0,
        named: Named::default(),
    };
    reader.imports();
    reader.code();
    reader.named
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Token {
    text: String,
    line: usize,
}

struct Reader<'a> {
    module: &'a [String],
    tokens: &'a [Token],
    /// The modules with a body that the reader is in, and the depth of their braces.
    inline: Vec<(String, usize)>,
    depth: usize,
    named: Named,
}

impl Reader<'_> {
    fn text(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| &token.text)
    }

    /// First all `use` declarations: one may stand below the code that leans on it.
    fn imports(&mut self) {
        let mut at = 0;
        while at < self.tokens.len() {
            at = self.enter(at);
            if self.text(at) == "use" {
                at = self.tree(at + 1, &[]);
            }
            at += 1;
        }
    }

    /// Keeps count of the modules with a body.
    fn enter(&mut self, at: usize) -> usize {
        match self.text(at) {
            "{" => self.depth += 1,
            "}" => {
                self.depth = self.depth.saturating_sub(1);
                if self
                    .inline
                    .last()
                    .is_some_and(|(_, depth)| *depth > self.depth)
                {
                    self.inline.pop();
                }
            }
            "mod" if self.text(at + 2) == "{" => {
                self.depth += 1;
                self.inline.push((self.text(at + 1).to_owned(), self.depth));
                return at + 3;
            }
            _ => {}
        }
        at
    }

    /// One tree of a `use`, below what stands before it; returns where it ends.
    fn tree(&mut self, mut at: usize, before: &[String]) -> usize {
        let mut path = before.to_vec();
        let start = at;
        loop {
            match self.text(at) {
                "{" => {
                    at += 1;
                    while !matches!(self.text(at), "}" | "") {
                        at = self.tree(at, &path);
                        at += usize::from(self.text(at) == ",");
                    }
                    return at + 1;
                }
                "::" => at += 1,
                "," | "}" | ";" | "as" | "" => break,
                segment => {
                    path.push(segment.to_owned());
                    at += 1;
                }
            }
        }
        // `{self}` names what stands before the brace.
        if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        let mut name = path.last().cloned().unwrap_or_default();
        if self.text(at) == "as" {
            name = self.text(at + 1).to_owned();
            at += 2;
        }
        let line = self.tokens.get(start).map_or(0, |token| token.line);
        if let Some(path) = self.absolute(&path) {
            self.named.paths.push((path.clone(), line));
            self.named.imports.insert(name, path);
        }
        at
    }

    fn code(&mut self) {
        let mut at = 0;
        while at < self.tokens.len() {
            at = self.enter(at);
            if self.text(at) == "use" {
                while !matches!(self.text(at), ";" | "") {
                    at += 1;
                }
                continue;
            }
            // A path's first segment; `pub(in a::b)` uses nothing.
            let first = at == 0 || !matches!(self.text(at - 1), "::" | "." | "in");
            if first && self.text(at + 1) == "::" && is_name(self.text(at)) {
                let line = self.tokens[at].line;
                let mut path = vec![self.text(at).to_owned()];
                while self.text(at + 1) == "::" && is_name(self.text(at + 2)) {
                    path.push(self.text(at + 2).to_owned());
                    at += 2;
                }
                if let Some(path) = self.absolute(&path) {
                    self.named.paths.push((path, line));
                }
            }
            at += 1;
        }
    }

    /// The path from the crate's root, unless it leaves the crate.
    fn absolute(&self, path: &[String]) -> Option<Path> {
        let (first, rest) = path.split_first()?;
        let inline = self.inline.iter().map(|(name, _)| name);
        let mut here: Path = self.module.iter().chain(inline).cloned().collect();
        let mut rest = rest;
        match first.as_str() {
            "crate" => here.truncate(1),
            "self" => {}
            "super" => {
                here.pop();
                while rest.first().is_some_and(|segment| segment == "super") {
                    here.pop();
                    rest = &rest[1..];
                }
            }
            name => match self.named.imports.get(name) {
                Some(target) => here = target.clone(),
                // A module of its own, or another crate: whoever knows the modules can tell.
                None => here.push(name.to_owned()),
            },
        }
        here.extend(rest.iter().cloned());
        Some(here)
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// Names, `::` and single signs; without comments and literals.
fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text;
    let mut line = 1;
    while let Some(first) = rest.chars().next() {
        let length = length(rest, first);
        let (token, after) = rest.split_at(length);
        if is_name(token) || token == "::" || (length == 1 && first.is_ascii_punctuation()) {
            tokens.push(Token {
                text: token.to_owned(),
                line,
            });
        }
        line += token.matches('\n').count();
        rest = after;
    }
    tokens
}

/// How long what begins here is: a comment, a literal, a name, `::` or a single character.
fn length(rest: &str, first: char) -> usize {
    let until = |end: &str| rest.find(end).map_or(rest.len(), |at| at + end.len());
    let word = rest
        .find(|sign: char| !(sign.is_alphanumeric() || sign == '_'))
        .unwrap_or(rest.len());
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return until("*/");
    }
    if rest.starts_with("::") {
        return 2;
    }
    let behind = &rest[word..];
    match first {
        '"' => quoted(rest, '"'),
        // A lifetime has no second quote.
        '\'' if rest[1..].starts_with('\\') => quoted(rest, '\''),
        '\'' if rest.chars().nth(2) == Some('\'') => {
            rest.char_indices().nth(3).map_or(rest.len(), |(at, _)| at)
        }
        'b' if word == 1 && behind.starts_with('"') => 1 + quoted(behind, '"'),
        'r' | 'b' if ["r", "br"].contains(&&rest[..word]) => {
            let hashes = behind.len() - behind.trim_start_matches('#').len();
            match behind[hashes..].starts_with('"') {
                true => {
                    let start = word + hashes + 1;
                    let end = format!("\"{}", "#".repeat(hashes));
                    let body = rest[start..].find(&end);
                    body.map_or(rest.len(), |at| start + at + end.len())
                }
                false => word,
            }
        }
        _ if word > 0 => word,
        _ => first.len_utf8(),
    }
}

fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, sign) in rest.char_indices().skip(1) {
        match sign {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if sign == quote => return at + sign.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

/// Leaves out each item behind `#[cfg(test)]` or `#[cfg(all(test, ...))]`.
fn without_tests(tokens: Vec<Token>) -> Vec<Token> {
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let begins = |signs: &[&str]| {
            let found = tokens[at..].iter().map(|token| token.text.as_str());
            found.take(signs.len()).eq(signs.iter().copied())
        };
        if begins(&["#", "[", "cfg", "(", "test"])
            || begins(&["#", "[", "cfg", "(", "all", "(", "test"])
        {
            at = end_of_item(&tokens, at);
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept
}

/// Where the item that begins at an attribute is over: behind its `;`, its `,` or its closing brace.
fn end_of_item(tokens: &[Token], start: usize) -> usize {
    let mut depth = 0_usize;
    let mut used = false;
    for (at, token) in tokens.iter().enumerate().skip(start) {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => {
                depth = depth.saturating_sub(1);
                if depth == 0 && token.text == "}" && !used {
                    return at + 1;
                }
            }
            "use" => used = true,
            ";" | "," if depth == 0 => return at + 1,
            _ => {}
        }
    }
    tokens.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str) -> Vec<String> {
        let module: Path = ["a", "b", "c"].map(str::to_owned).into();
        let named = read(&module, text);
        named
            .paths
            .iter()
            .map(|(path, line)| format!("{line} {}", path.join("::")))
            .collect()
    }

    #[test]
    fn a_use_names_every_leaf_of_its_tree() {
        let text =
            "use crate::d::{self, E as F, g::*};\nuse super::h;\nuse self::i::J;\nuse std::fmt;\n";
        assert_eq!(
            named(text),
            [
                "1 a::d",
                "1 a::d::E",
                "1 a::d::g::*",
                "2 a::b::h",
                "3 a::b::c::i::J",
                "4 a::b::c::std::fmt"
            ]
        );
    }

    #[test]
    fn a_path_in_the_code_counts_and_goes_through_what_was_imported() {
        let text = "use crate::d;\nfn f() -> crate::e::G {\n    d::h::i()\n}\n";
        assert_eq!(named(text), ["1 a::d", "2 a::e::G", "3 a::d::h::i"]);
    }

    #[test]
    fn texts_comments_and_visibility_name_nothing() {
        let text = "// crate::d::E\n/* crate::d */ pub(in crate::b) fn f<'a>() { \"crate::\\\"d\"; r#\"crate::\"e\"#; '\\''; 'x' }\n";
        assert!(named(text).is_empty());
    }

    #[test]
    fn what_only_tests_compile_names_nothing() {
        let text = "#[cfg(test)]\nuse crate::{d, e};\n#[cfg(all(test, unix))]\nfn f() { crate::d::g() }\nuse crate::h;\n";
        assert_eq!(named(text), ["5 a::h"]);
    }

    #[test]
    fn a_module_with_a_body_is_a_step_of_its_own() {
        let text = "mod d {\n    use super::e;\n    fn f() {}\n}\nuse super::g;\n";
        assert_eq!(named(text), ["2 a::b::c::e", "5 a::b::g"]);
    }
}
