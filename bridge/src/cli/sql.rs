//! `flinkspark sql`: statements one after another, from a file, from standard input or typed.
//!
//! Invariant: a statement means the same typed and in a script; what cannot be obeyed is refused and ends a script.

mod session;
mod settings;
mod shell;

use super::args::{Format, SqlArgs};
use super::job;
use crate::exit;
use flinkspark_adapter::front::flink::script::{self, Piece};
use flinkspark_model::{Error, Kind, Result};
pub(super) use session::Wanted;
use session::{Flow, Session};
use std::collections::BTreeMap;
use std::io::{IsTerminal, Read};
use std::path::Path;

/// Runs a script, or the shell where there is none and somebody types.
pub(super) async fn run(url: &str, output: Format, args: SqlArgs) -> Result<u8> {
    let wanted = Wanted {
        on: args.on,
        id: args.id,
        options: args.options,
        reconnect: args.reconnect,
    };
    let text = match (&args.execute, &args.file) {
        (Some(text), _) => Some(text.clone()),
        (None, Some(file)) if file.as_os_str() == "-" => Some(standard_input()?),
        (None, Some(file)) => Some(job::read(file)?),
        (None, None) if !std::io::stdin().is_terminal() => Some(standard_input()?),
        (None, None) => None,
    };
    let Some(text) = text else {
        let session = Session::new(url, output, wanted, 0).await?;
        return shell::run(session).await;
    };
    script(url, output, wanted, &text, args.var).await
}

/// Runs the statements of a script up to the first that fails.
pub(super) async fn script(
    url: &str,
    output: Format,
    wanted: Wanted,
    text: &str,
    values: Vec<(String, String)>,
) -> Result<u8> {
    let values: BTreeMap<String, String> = values.into_iter().collect();
    let pieces = script::pieces(&script::substitute(text, &values)?)?;
    let commands = pieces.iter().map(Piece::command);
    let commands = commands.collect::<Result<Vec<_>>>()?;
    let jobs = commands.iter().filter(|command| command.is_job()).count();
    if pieces.is_empty() {
        return Err(Error::new(Kind::Invalid, "FS0801", "there is no statement")
            .with_hint("write one, such as SELECT * FROM flights LIMIT 10"));
    }
    let mut session = Session::new(url, output, wanted, jobs).await?;
    let several = pieces.len() > 1;
    for (piece, command) in pieces.iter().zip(commands) {
        let ran = session.run(piece, command).await;
        match ran.map_err(|error| if several { placed(error, piece) } else { error })? {
            Flow::On => {}
            Flow::Quit => break,
            Flow::Failed(code) => return Ok(code),
        }
    }
    Ok(exit::OK)
}

/// The same error, with the line of its statement.
fn placed(error: Error, piece: &Piece) -> Error {
    let place = format!("in the statement that begins in line {}", piece.line);
    let detail = match error.detail() {
        Some(detail) => format!("{detail} ({place})"),
        None => place,
    };
    error.with_detail(detail)
}

fn standard_input() -> Result<String> {
    let mut text = String::new();
    let read = std::io::stdin().read_to_string(&mut text);
    read.map(|_| text).map_err(|cause| {
        let what = "the statements on standard input cannot be read";
        Error::new(Kind::Invalid, "FS0020", what).with_source(cause)
    })
}

/// A script's text with its variables, for those who hand all of it on.
pub(super) fn read(file: &Path, values: &[(String, String)]) -> Result<String> {
    script::substitute(&job::read(file)?, &values.iter().cloned().collect())
}

/// `NAME=VALUE`.
pub(super) fn variable(text: &str) -> std::result::Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let pair = pair.map(|(name, value)| (name.to_owned(), value.to_owned()));
    pair.ok_or_else(|| format!("\"{text}\" is not NAME=VALUE"))
}
