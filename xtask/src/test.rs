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
mod tally;

use crate::process::{self, Failure};
use crate::profile::{self, Binary};
use crate::python;
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
    let request = Request::of(&arguments.what);
    if let ([], [driver], false) = (
        &request.categories[..],
        &request.drivers[..],
        request.everything,
    ) {
        profile::build_both(workspace)?;
        return driver.run(workspace, arguments).map(process::pass_on);
    }
    let executables = request.executables(workspace)?;
    // After the tests: building them may put a binary with fail points into the plain one's place.
    if request.needs_binary() {
        process::timed("build the binary", || profile::build_both(workspace))?;
    }
    let mut tally = Tally::default();
    libtests(workspace, arguments, &request, &executables, &mut tally)?;
    for driver in &request.drivers {
        tally.record_driver(*driver, driver.run(workspace, arguments));
    }
    print!("{tally}");
    Ok(if tally.is_success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What is to run.
struct Request {
    everything: bool,
    categories: Vec<Category>,
    drivers: Vec<Driver>,
}

impl Request {
    fn of(what: &[What]) -> Self {
        let everything = what.is_empty();
        let drivers = what.iter().filter_map(|what| what.driver());
        Self {
            everything,
            categories: what.iter().filter_map(|what| what.category()).collect(),
            drivers: if everything {
                Driver::ALL.to_vec()
            } else {
                drivers.collect()
            },
        }
    }

    fn wants(&self, category: Category) -> bool {
        self.everything || self.categories.contains(&category)
    }

    fn needs_binary(&self) -> bool {
        self.wants(Category::System) || self.wants(Category::Crash) || !self.drivers.is_empty()
    }

    fn executables(&self, workspace: &Workspace) -> Result<Vec<Executable>, Failure> {
        if self.everything || !self.categories.is_empty() {
            process::timed("build the tests", || compile::test_binaries(workspace))
        } else {
            Ok(Vec::new())
        }
    }
}

/// Runs the test binaries, whole or in part, and the doctests.
fn libtests(
    workspace: &Workspace,
    arguments: &Arguments,
    request: &Request,
    executables: &[Executable],
    tally: &mut Tally,
) -> Result<(), Failure> {
    let environment = environment(workspace, arguments, request)?;
    for executable in executables {
        let names = match request.everything {
            true => None,
            false => Some(selection(executable, &request.categories)?),
        };
        if names.as_ref().is_none_or(|names| !names.is_empty()) {
            let mut command = executable.command(&environment, names.as_deref(), arguments.long);
            tally.record(executable, execute::run(&mut command, arguments.long));
        }
    }
    if request.wants(Category::Unit) {
        tally.record_doctests(execute::run(&mut compile::doctests(), arguments.long));
    }
    Ok(())
}

/// What the tests find in their environment.
fn environment(
    workspace: &Workspace,
    arguments: &Arguments,
    request: &Request,
) -> Result<Vec<(&'static str, PathBuf)>, Failure> {
    let mut environment = vec![
        ("FLINKSPARK_BIN", Binary::Plain.path(workspace)),
        ("FLINKSPARK_FAULTS_BIN", Binary::Faults.path(workspace)),
    ];
    if request.wants(Category::System) {
        let peers = process::timed("the peers", || python::environments(workspace))?;
        let pyarrow = python::interpreter(&peers, "pyarrow");
        environment.push(("FLINKSPARK_PYTHON", pyarrow));
        environment.push(("FLINKSPARK_PEERS", peers));
    }
    if let Some(seed) = arguments.seed {
        environment.push(("PROPTEST_RNG_SEED", seed.to_string().into()));
    }
    Ok(environment)
}

/// The names of a binary's tests that belong to the categories.
fn selection(executable: &Executable, categories: &[Category]) -> Result<Vec<String>, Failure> {
    let mut names = executable.list()?;
    names.retain(|name| categories.contains(&executable.category(name)));
    Ok(names)
}
