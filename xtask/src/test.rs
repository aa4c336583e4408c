//! Runs the tests, by category or all, and counts them apart.
//!
//! Test binaries are built by cargo and started here one by one, so that every result has a known
//! origin. Invariant: the run fails if a test failed, if a binary did not run to its end, or if
//! nothing ran; its last line is `N passed, M failed`.

mod category;
mod compile;
mod driver;
mod execute;
mod libtest;
mod python;
mod tally;

use crate::process::{self, Failure};
use crate::profile::{self, Binary};
use crate::workspace::Workspace;
use category::Category;
use clap::ValueEnum;
use compile::Executable;
use driver::Driver;
use std::path::PathBuf;
use std::process::ExitCode;
use tally::Tally;

/// What `cargo xtask test` takes.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Arguments {
    /// Categories of tests, or drivers of the whole system; none for everything
    what: Vec<What>,
    /// Also the tests marked `#[ignore = "long: ..."]`, and more kills
    #[arg(long)]
    long: bool,
    /// kills: how many
    #[arg(long, value_name = "N")]
    count: Option<u32>,
    /// Replays the random choices of a run that printed this seed
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// probes: another file of probes
    #[arg(long, value_name = "F")]
    file: Option<PathBuf>,
}

/// One word of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    Unit,
    Property,
    Enumeration,
    Conformance,
    Crash,
    System,
    /// Kills the server at each step of the protocol and at random
    Kills,
    /// Compares answers with those that were taken from the real engines
    Probes,
}

impl What {
    fn category(self) -> Option<Category> {
        match self {
            Self::Unit => Some(Category::Unit),
            Self::Property => Some(Category::Property),
            Self::Enumeration => Some(Category::Enumeration),
            Self::Conformance => Some(Category::Conformance),
            Self::Crash => Some(Category::Crash),
            Self::System => Some(Category::System),
            Self::Kills | Self::Probes => None,
        }
    }

    fn driver(self) -> Option<Driver> {
        match self {
            Self::Kills => Some(Driver::Kills),
            Self::Probes => Some(Driver::Probes),
            _ => None,
        }
    }
}

/// Runs what is asked for. A single driver has the last line and the exit code to itself.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<ExitCode, Failure> {
    let categories: Vec<_> = arguments
        .what
        .iter()
        .filter_map(|what| what.category())
        .collect();
    let drivers: Vec<_> = arguments
        .what
        .iter()
        .filter_map(|what| what.driver())
        .collect();
    if let ([], [driver]) = (&categories[..], &drivers[..]) {
        profile::build_both(workspace)?;
        return driver.run(workspace, arguments).map(process::pass_on);
    }
    let everything = arguments.what.is_empty();
    let mut tally = Tally::default();
    if everything || !categories.is_empty() {
        libtests(workspace, arguments, &categories, &mut tally)?;
    }
    for driver in if everything {
        Driver::ALL.to_vec()
    } else {
        drivers
    } {
        tally.record_driver(driver, driver.run(workspace, arguments));
    }
    print!("{tally}");
    Ok(if tally.is_success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Builds and runs the test binaries; no categories means all.
fn libtests(
    workspace: &Workspace,
    arguments: &Arguments,
    categories: &[Category],
    tally: &mut Tally,
) -> Result<(), Failure> {
    let wanted = |category| categories.is_empty() || categories.contains(&category);
    let executables = process::timed("build the tests", || compile::test_binaries(workspace))?;
    let mut environment = vec![
        ("FLINKSPARK_BIN", Binary::Plain.path(workspace)),
        ("FLINKSPARK_FAULTS_BIN", Binary::Faults.path(workspace)),
    ];
    if wanted(Category::System) || wanted(Category::Crash) {
        process::timed("build the binary", || profile::build_both(workspace))?;
        environment.push((
            "FLINKSPARK_PYTHON",
            process::timed("pyarrow", || python::environment(workspace))?,
        ));
    }
    if let Some(seed) = arguments.seed {
        environment.push(("PROPTEST_RNG_SEED", seed.to_string().into()));
    }
    for executable in &executables {
        let names = if categories.is_empty() {
            None
        } else {
            Some(selection(executable, categories)?)
        };
        if names.as_ref().is_some_and(Vec::is_empty) {
            continue;
        }
        let mut command = executable.command(&environment, names.as_deref(), arguments.long);
        tally.record(executable, execute::run(&mut command, arguments.long));
    }
    if wanted(Category::Unit) {
        tally.record_doctests(execute::run(&mut compile::doctests(), arguments.long));
    }
    Ok(())
}

/// The names of a binary's tests that belong to the categories.
fn selection(executable: &Executable, categories: &[Category]) -> Result<Vec<String>, Failure> {
    let mut names = executable.list()?;
    names.retain(|name| categories.contains(&executable.category(name)));
    Ok(names)
}
