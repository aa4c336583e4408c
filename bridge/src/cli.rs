//! The command line: parses, calls, prints.
//!
//! A path on the command line is opened here, by the user's own process; the server opens only
//! what lies beneath its data directory. Invariant: exactly one function decides the exit code.

mod args;
mod at;
mod catalog;
mod config;
mod dataset;
mod demo;
mod duration;
mod files;
mod job;
mod query;
mod render;
mod rows;
mod serve;
mod sql;
mod statements;
mod token;
mod transaction;
mod transfer;
mod verify;

use crate::client::Address;
use crate::config::{Overrides, Source};
use crate::workers::no_threads;
use crate::{exit, pages};
use args::{Cli, Command, ConfigCommand, JobCommand};
use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches};
use flinkspark_model::{Error, Kind, Result};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

/// Runs the command that the process's arguments name.
pub fn main() -> ExitCode {
    #[cfg(feature = "faults")]
    if let Err(error) = crate::faults::install() {
        eprintln!("{error}");
        return exit::code(&error).into();
    }
    let (cli, said) = match parse() {
        Ok(parsed) => parsed,
        Err(error) => {
            let help = matches!(
                error.kind(),
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
            );
            // Nothing is left to do if even this cannot be printed.
            let printed = if help { error.print() } else { usage(&error) };
            return if help && printed.is_ok() {
                exit::OK.into()
            } else {
                exit::USAGE.into()
            };
        }
    };
    match run(cli, said) {
        Ok(code) => code.into(),
        Err(error) => {
            eprintln!("{error}");
            exit::code(&error).into()
        }
    }
}

/// What is typed, and where its values come from.
fn parse() -> std::result::Result<(Cli, BTreeMap<&'static str, Source>), clap::Error> {
    let mut matches = Cli::command().try_get_matches()?;
    let said = Overrides::said(&matches);
    let cli = Cli::from_arg_matches_mut(&mut matches);
    let cli = cli.map_err(|error| error.format(&mut Cli::command()))?;
    Ok((cli, said))
}

/// A wrong command, in the form of every other error.
fn usage(error: &clap::Error) -> std::io::Result<()> {
    use std::io::Write;
    let text = error.to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let (message, rest) = text.split_once('\n').unwrap_or((text, ""));
    let mut out = std::io::stderr().lock();
    writeln!(out, "error[FS0002]: {message}")?;
    let rest: Vec<&str> = rest
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    for line in rest
        .iter()
        .filter(|line| !line.starts_with("For more information"))
    {
        writeln!(out, "  detail: {line}")?;
    }
    writeln!(
        out,
        "  hint:   add --help to the command to see what it takes"
    )
}

fn run(cli: Cli, said: BTreeMap<&'static str, Source>) -> Result<u8> {
    let at = Address::from(&cli.at);
    match cli.command {
        Command::Serve(mut overrides) => {
            overrides.said = said;
            serve::run(&overrides).map(|()| exit::OK)
        }
        Command::Demo(args) => demo::run(args.keep, args.plant),
        Command::Catalog(command) => catalog::run(cli.output, &command).map(|()| exit::OK),
        Command::Config(mut command) => {
            let ConfigCommand::Show { overrides, .. } = &mut command;
            overrides.said = said;
            until_interrupted(config::run(&at, cli.output, command))
        }
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "flinkspark", &mut text);
            render::text(&String::from_utf8_lossy(&text)).map(|()| exit::OK)
        }
        Command::Man { dir } => man(&dir).map(|()| exit::OK),
        Command::Explain { code } => render::text(pages::page(&code)?).map(|()| exit::OK),
        Command::Dataset(command) => until_interrupted(dataset::run(&at, cli.output, command)),
        Command::Transaction(command) => {
            until_interrupted(transaction::run(&at, cli.output, command))
        }
        Command::Token(command) => until_interrupted(token::run(&at, cli.output, command)),
        Command::Transfer(args) => until_interrupted(transfer::run(&at, cli.output, args)),
        Command::Query(args) => until_interrupted(query::run(&at, cli.output, args)),
        Command::Sql(args) if args.is_shell() => {
            // Ctrl-C ends what is at work there, and not the shell.
            runtime()?.block_on(sql::run(&at, cli.output, args))
        }
        Command::Sql(args) => until_interrupted(sql::run(&at, cli.output, args)),
        Command::Job(JobCommand::Run(args)) => until_interrupted(sql::job(&at, cli.output, args)),
        Command::Job(JobCommand::Other(command)) => {
            until_interrupted(job::run(&at, cli.output, command))
        }
    }
}

/// Writes a page for each command.
fn man(dir: &Path) -> Result<()> {
    let written =
        std::fs::create_dir_all(dir).and_then(|()| clap_mangen::generate_to(Cli::command(), dir));
    written.map_err(|cause| {
        let what = format!("the man pages cannot be written into {}", dir.display());
        Error::new(Kind::Invalid, "FS0024", what)
            .with_source(cause)
            .with_hint("name a folder that can be written")
    })
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime.map_err(no_threads)
}

/// Runs a client's command; Ctrl-C lets go of it.
fn until_interrupted(command: impl Future<Output = Result<u8>>) -> Result<u8> {
    runtime()?.block_on(async {
        tokio::select! {
            ended = command => ended,
            _ = tokio::signal::ctrl_c() => Err(Error::new(Kind::Unavailable, "FS0005", "interrupted")
                .with_hint("the same command with the same --id goes on where it was")),
        }
    })
}
