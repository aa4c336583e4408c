//! The commands of README of `docs/coming-from.md` and of `docs/access.md` give the output that stands there.
//!
//! A `console` block holds commands after `$ ` and what they print. `…` stands for any text in a
//! line, a line that is only `…` for any lines: ids, times and rates differ from run to run.

use flinkspark_integration_tests::command::{Build, binary};
use flinkspark_integration_tests::server::Server;
use flinkspark_integration_tests::{Failure, Step, path};
use std::os::unix::fs::symlink;
use std::process::Command;

struct Example {
    command: String,
    output: Vec<String>,
}

fn examples(text: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        match line.strip_prefix("```") {
            Some(language) => inside = language == "console",
            None if !inside => {}
            None => match (line.strip_prefix("$ "), examples.last_mut()) {
                (Some(command), _) => examples.push(Example {
                    command: command.into(),
                    output: Vec::new(),
                }),
                (None, Some(example)) if example.command.ends_with('\\') => {
                    example.command.pop();
                    example.command.push_str(line.trim_start());
                }
                (None, Some(example)) => example.output.push(line.into()),
                (None, None) => {}
            },
        }
    }
    examples
}

/// Whether a line fits its pattern, in which `…` stands for any text.
fn fits(pattern: &str, line: &str) -> bool {
    let mut parts = pattern.split('…');
    let Some(mut rest) = parts.next().and_then(|first| line.strip_prefix(first)) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

/// Whether lines fit patterns, of which a lone `…` stands for any lines.
fn all_fit(patterns: &[String], lines: &[&str]) -> bool {
    match patterns.split_first() {
        None => lines.is_empty(),
        Some((pattern, rest)) if pattern == "…" => {
            (0..=lines.len()).any(|skip| all_fit(rest, &lines[skip..]))
        }
        Some((pattern, rest)) => lines
            .split_first()
            .is_some_and(|(line, more)| fits(pattern, line) && all_fit(rest, more)),
    }
}

/// Runs the commands of a page one after another, with a server of their own.
fn run(page: &str, examples_min: usize) -> Step {
    let text = std::fs::read_to_string(path("..").join(page))?;
    let examples = examples(&text);
    let count = examples.len();
    assert!(count >= examples_min, "{page} has {count} examples");
    let dir = tempfile::tempdir()?;
    let (work, bin) = (dir.path().join("work"), dir.path().join("bin"));
    std::fs::create_dir_all(&work)?;
    std::fs::create_dir_all(&bin)?;
    symlink(binary(Build::Plain)?, bin.join("flinkspark"))?;
    symlink(path("."), work.join("integration-tests"))?;
    let server = Server::start(&dir.path().join("data"))?;
    for example in &examples {
        let output = Command::new("sh")
            .args([
                "-c",
                &format!(
                    "PATH={}:$PATH; {{ {}\n}} 2>&1",
                    bin.display(),
                    example.command
                ),
            ])
            .current_dir(&work)
            .env("FLINKSPARK_URL", server.url())
            .env("ADMIN_TOKEN", dir.path().join("data/admin.token"))
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        if !all_fit(&example.output, &lines) {
            let shown = example.output.join("\n");
            return Err(Failure::from(format!(
                "$ {}\n{page} shows:\n{shown}\nit prints:\n{text}",
                example.command
            )));
        }
    }
    Ok(())
}

#[test]
fn readmes_commands_print_what_readme_shows() -> Step {
    run("README.md", 8)
}

#[test]
fn what_stands_for_those_who_come_from_elsewhere_is_what_is_printed() -> Step {
    run("docs/coming-from.md", 10)
}

#[test]
fn what_is_said_of_tokens_and_grants_is_what_happens() -> Step {
    run("docs/access.md", 9)
}

#[test]
fn an_ellipsis_stands_for_any_text_and_nothing_else_does() {
    assert!(fits("id  …", "id  0198"));
    assert!(fits("a … c", "a b c"));
    assert!(!fits("a … c", "a b d"));
    assert!(!fits("a", "ab"));
    let patterns: Vec<String> = ["a", "…", "z"].map(Into::into).into();
    assert!(all_fit(&patterns, &["a", "b", "c", "z"]));
    assert!(!all_fit(&patterns, &["a", "b", "c"]));
}
