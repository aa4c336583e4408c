//! `flinkspark sql`: statements one after another, from a file, from standard input or typed.
//!
//! Invariant: a statement means the same typed and in a script; what cannot be obeyed is refused and ends a script.

mod session;
mod settings;
mod shell;
mod tables;

use super::args::{Format, RunArgs, SqlArgs};
use super::statements;
use crate::client::Address;
use crate::exit;
use flinkspark_adapter::front::flink::script::{self, Piece};
use flinkspark_model::{Error, Kind, Result};
use session::{Flow, Session, Wanted};

/// Runs a script, or the shell where there is none and somebody types.
pub(super) async fn run(url: &Address, output: Format, args: SqlArgs) -> Result<u8> {
    let is_shell = args.is_shell();
    let var = args.run.var.clone();
    let wanted = Wanted {
        on: args.on,
        run: args.run,
    };
    let text = match (&args.execute, &args.file) {
        _ if is_shell => {
            let session = Session::new(url, output, wanted, 0).await?;
            return shell::run(session).await;
        }
        (Some(text), _) => text.clone(),
        (None, Some(file)) => statements::read(file)?,
        (None, None) => statements::standard_input()?,
    };
    script(url, output, wanted, &text, &var).await
}

/// Runs a job's file: the same, on an engine that is told.
pub(super) async fn job(url: &Address, output: Format, args: RunArgs) -> Result<u8> {
    let var = args.run.var.clone();
    let wanted = Wanted {
        on: Some(args.on),
        run: args.run,
    };
    let text = statements::read(&args.file)?;
    script(url, output, wanted, &text, &var).await
}

/// Runs the statements of a script up to the first that fails.
async fn script(
    url: &Address,
    output: Format,
    wanted: Wanted,
    text: &str,
    values: &[(String, String)],
) -> Result<u8> {
    let pieces = script::pieces(&statements::substituted(text, values)?)?;
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
