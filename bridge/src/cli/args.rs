//! What can be typed.

mod token;

pub(crate) use token::TokenCommand;

use super::at::At;
use super::files::FileArgs;
use crate::config::Overrides;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::io::IsTerminal;
use std::path::PathBuf;

/// The bridge between Apache Flink and Apache Spark.
#[derive(Debug, Parser)]
#[command(name = "flinkspark", version, propagate_version = true)]
pub(crate) struct Cli {
    /// How results are printed
    #[arg(short, long, global = true, value_enum, default_value = "table")]
    pub output: Format,
    #[command(flatten)]
    pub at: At,
    #[command(subcommand)]
    pub command: Command,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// One JSON document
    Json,
    /// One JSON document a line
    Jsonl,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the bridge server
    Serve(Overrides),
    /// See real flights go through both engines and back, exactly once
    Demo(DemoArgs),
    /// Register and look up datasets
    #[command(subcommand)]
    Dataset(DatasetCommand),
    /// Move rows between files and datasets
    Transfer(TransferArgs),
    /// Show and end open transactions
    #[command(subcommand)]
    Transaction(TransactionCommand),
    /// Ask a question: print the rows of a SELECT, and leave nothing behind
    Query(QueryArgs),
    /// Work in SQL: a shell, or the statements of a file
    Sql(SqlArgs),
    /// Run, explain and verify jobs
    #[command(subcommand)]
    Job(JobCommand),
    /// Say who may call the bridge, and what they may do
    #[command(subcommand)]
    Token(TokenCommand),
    /// Check, export and rebuild the catalogue of a stopped server
    #[command(subcommand)]
    Catalog(CatalogCommand),
    /// Show the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Say what an error code means and what to do
    Explain {
        /// The code, such as FS0101
        code: String,
    },
    /// Print what makes a shell complete commands, for example: source <(flinkspark completions bash)
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write a man page for each command
    Man {
        /// Into this folder
        dir: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Keep the demo's data in this folder
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
    /// Plant a defect and show that it is noticed (needs a build with the feature `faults`)
    #[arg(long, value_name = "DEFECT")]
    pub plant: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DatasetCommand {
    /// Give a dataset its identity, its schema and its engines' handles
    Register(RegisterArgs),
    /// List datasets in name order
    List {
        /// Only names that begin with this
        #[arg(long, default_value = "")]
        prefix: String,
    },
    /// Show a dataset: record, totals, partitions, handles
    Show {
        /// An id, a name, or a handle such as spark:spark_catalog.default.flights
        reference: String,
    },
    /// Find a dataset by id, by name or by an engine's handle
    Lookup {
        /// An id, a name, or a handle such as spark:spark_catalog.default.flights
        reference: String,
    },
    /// Change a dataset's schema; what is committed is read at the new one
    Schema {
        /// An id, a name, or a handle
        reference: String,
        /// Take the schema from this file
        #[arg(long, value_name = "FILE")]
        like: PathBuf,
        /// What must stay readable
        #[arg(long, value_name = "MODE", default_value = "backward", value_parser = ["none", "backward", "forward", "full"])]
        compatibility: String,
        #[command(flatten, next_help_heading = "Files")]
        files: FileArgs,
    },
    /// Give a dataset another name; the old one is free at once
    Rename {
        /// An id, a name, or a handle
        reference: String,
        /// The new name
        name: String,
    },
    /// Change a dataset's handles, time attribute, primary key, or whether it ends
    Alter(AlterArgs),
    /// Print how many rows a dataset has
    Count {
        /// An id, a name, or a handle
        reference: String,
    },
    /// Write a dataset into a file: `transfer dataset://NAME FILE`
    Export(ExportArgs),
    /// Print the Thrift IDL of a dataset's schema
    Idl {
        /// An id, a name, or a handle
        reference: String,
    },
    /// Print the first rows
    Head {
        /// An id, a name, or a handle
        reference: String,
        /// How many rows
        #[arg(short = 'n', long, default_value_t = 10)]
        rows: usize,
    },
    /// Read every row again and compare it with what was committed
    Verify {
        /// An id, a name, or a handle
        reference: String,
    },
    /// List the committed epochs
    Epochs {
        /// An id, a name, or a handle
        reference: String,
        /// Only slots after this one
        #[arg(long, default_value_t = 0)]
        after: u64,
    },
    /// List the open transactions, the oldest first
    Transactions {
        /// An id, a name, or a handle
        reference: String,
    },
    /// Show what a dataset was made from, and what was made from it
    Lineage {
        /// An id, a name, or a handle
        reference: String,
    },
    /// Replay the catalogue's changes, then follow them
    Watch {
        /// Only changes after this sequence number
        #[arg(long, default_value_t = 0)]
        since: u64,
        /// Stop after so many changes
        #[arg(long)]
        limit: Option<u64>,
    },
    /// Forget a dataset
    Drop {
        /// An id, a name, or a handle
        reference: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum TransactionCommand {
    /// Show how a transaction stands
    Show {
        /// The transaction's id, as `dataset transactions` prints it
        id: String,
    },
    /// Make sure that a transaction never commits, and delete what was put into it
    Abort {
        /// The transaction's id, as `dataset transactions` prints it
        id: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct RegisterArgs {
    /// The dataset's name, such as web.clicks
    pub name: String,
    /// Take the schema from this file
    #[arg(long, value_name = "FILE")]
    pub like: PathBuf,
    #[command(flatten)]
    pub traits: TraitArgs,
    /// More data may come for ever
    #[arg(long)]
    pub unbounded: bool,
    #[command(flatten, next_help_heading = "Files")]
    pub files: FileArgs,
}

// What is said of a dataset when it is registered, and may be said otherwise later; no documentation comment here, too.
#[derive(Debug, Clone, Args)]
pub(crate) struct TraitArgs {
    /// The column that carries event time
    #[arg(long, value_name = "COLUMN", requires = "watermark_delay")]
    pub time_attribute: Option<String>,
    /// How late an event may be, such as 24h
    #[arg(long, value_name = "DURATION", value_parser = super::duration::parse_ms, requires = "time_attribute")]
    pub watermark_delay: Option<u64>,
    /// What happens to event times finer than a millisecond
    #[arg(long, value_enum, default_value = "exact")]
    pub time_precision: Precision,
    /// Flink's name: catalog.database.table
    #[arg(long, value_name = "IDENTIFIER")]
    pub flink: Option<String>,
    /// Spark's name: catalog.namespace.table
    #[arg(long, value_name = "IDENTIFIER")]
    pub spark: Option<String>,
    /// A column of the primary key; may be repeated
    #[arg(long, value_name = "COLUMN")]
    pub primary_key: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct AlterArgs {
    /// An id, a name, or a handle
    pub reference: String,
    #[command(flatten)]
    pub traits: TraitArgs,
    /// Whether more data may come for ever
    #[arg(long, value_enum, value_name = "WHETHER")]
    pub ends: Option<Ends>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Ends {
    /// It ends
    Bounded,
    /// More data may come for ever
    Unbounded,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// An id, a name, or a handle
    pub reference: String,
    /// A file, or - for standard output
    pub target: String,
    /// Only these columns, in this order: comma-separated, may be repeated
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub columns: Option<Vec<String>>,
    /// Replace a file that exists (default: refuse)
    #[arg(long)]
    pub force: bool,
    #[command(flatten, next_help_heading = "Files")]
    pub files: FileArgs,
}

impl From<ExportArgs> for TransferArgs {
    fn from(args: ExportArgs) -> Self {
        Self {
            source: format!("dataset://{}", args.reference),
            target: args.target,
            id: None,
            replace: false,
            no_create: false,
            columns: args.columns,
            dry_run: false,
            force: args.force,
            bad_rows: None,
            partitions: None,
            files: args.files,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Precision {
    /// They are refused
    Exact,
    /// They are rounded down
    Floor,
}

#[derive(Debug, Args)]
pub(crate) struct TransferArgs {
    /// A file, a folder, a pattern such as "data/*.csv", - for standard input, or dataset://NAME
    pub source: String,
    /// A file, - for standard output, or dataset://NAME
    pub target: String,
    /// The transfer's id: the same command with the same id finishes what was begun and doubles nothing
    #[arg(long)]
    pub id: Option<String>,
    /// Replace the dataset's rows (default: append)
    #[arg(long)]
    pub replace: bool,
    /// Refuse a dataset that does not exist (default: it is registered with the file's schema)
    #[arg(long)]
    pub no_create: bool,
    /// Only these columns, in this order: comma-separated, may be repeated
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub columns: Option<Vec<String>>,
    /// Read everything, show what would be done, and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Replace a target file that exists (default: refuse)
    #[arg(long)]
    pub force: bool,
    /// Set records of CSV and JSON aside that cannot be read, as rows of this dataset (default: they are errors)
    #[arg(long, value_name = "DATASET")]
    pub bad_rows: Option<String>,
    /// Spread the rows over so many partitions (default: one)
    #[arg(long, value_name = "N")]
    pub partitions: Option<u32>,
    #[command(flatten, next_help_heading = "Files")]
    pub files: FileArgs,
}

#[derive(Debug, Args)]
pub(crate) struct QueryArgs {
    /// The statement, or - to read it from standard input
    #[arg(required_unless_present = "file")]
    pub statement: Option<String>,
    /// Read the statement from this file
    #[arg(short, long, value_name = "FILE", conflicts_with = "statement")]
    pub file: Option<PathBuf>,
    /// The engine that answers
    #[arg(long, value_enum, default_value = "batch")]
    pub on: Target,
    /// Print at most so many rows (default: 100 on a terminal, all elsewhere)
    #[arg(long, value_name = "ROWS")]
    pub limit: Option<u64>,
    /// Write the rows into this file, in the format that its name ends in
    #[arg(long, value_name = "FILE")]
    pub to: Option<PathBuf>,
    /// Replace a file that exists (default: refuse)
    #[arg(long, requires = "to")]
    pub force: bool,
    #[command(flatten, next_help_heading = "Files")]
    pub files: FileArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SqlArgs {
    /// A file with statements, or - for standard input (default: a shell, where somebody types)
    pub file: Option<PathBuf>,
    /// Run these statements
    #[arg(short, long, value_name = "STATEMENTS", conflicts_with = "file")]
    pub execute: Option<String>,
    /// The engine of INSERTs and of questions (default: batch, or what SET 'execution.runtime-mode' says)
    #[arg(long, value_enum)]
    pub on: Option<Target>,
    #[command(flatten)]
    pub run: Running,
}

// How the jobs of a script are run. No documentation comment: clap would take it for what the command is about.
#[derive(Debug, Args)]
pub(crate) struct Running {
    /// What ${NAME} stands for in the statements; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = super::statements::variable)]
    pub var: Vec<(String, String)>,
    /// The id of the INSERT's run, of several with -1, -2 ... behind it: the same id attaches to the run that exists
    #[arg(long)]
    pub id: Option<String>,
    /// How long the bridge may be away
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = super::duration::parse_ms)]
    pub reconnect: u64,
    #[command(flatten, next_help_heading = "Jobs")]
    pub options: JobOptions,
}

impl SqlArgs {
    /// Whether somebody types.
    pub(crate) fn is_shell(&self) -> bool {
        self.file.is_none() && self.execute.is_none() && std::io::stdin().is_terminal()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Target {
    /// The bundled streaming engine
    Stream,
    /// The bundled batch engine
    Batch,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct JobOptions {
    /// How many subtasks an operator has
    #[arg(long, value_name = "N")]
    pub parallelism: Option<u32>,
    /// The home whose answers are kept
    #[arg(long, value_name = "HOME", value_parser = ["flink/streaming", "flink/batch"])]
    pub home: Option<String>,
    /// A watermark delay in place of the registered one, such as flights=2h; may be repeated
    #[arg(long, value_name = "DATASET=DURATION", value_parser = super::duration::parse_named_ms)]
    pub watermark: Vec<(String, u64)>,
    /// Keep late rows in this dataset (default: they are counted)
    #[arg(long, value_name = "DATASET")]
    pub late_to: Option<String>,
    /// Rows a second of the whole source
    #[arg(long, value_name = "ROWS_PER_SECOND")]
    pub rate: Option<u64>,
    /// How often a checkpoint is taken, such as 100ms
    #[arg(long, value_name = "DURATION", value_parser = super::duration::parse_ms)]
    pub checkpoint_interval: Option<u64>,
    /// How often in a row to try again after trouble that may pass (default: without an end)
    #[arg(long, value_name = "COUNT")]
    pub retries: Option<u32>,
}

/// How a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum State {
    /// It was not started yet
    Submitted,
    /// It is at work
    Running,
    /// It goes on when the server starts again
    Suspended,
    /// Its input was read and its output is committed
    Finished,
    /// It ended with an error
    Failed,
    /// It was stopped by request
    Stopped,
    /// Servers died while it ran: it waits for `job resume`
    Parked,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// A file with the job's SQL: one statement or several; - for standard input
    pub file: PathBuf,
    /// The engine
    #[arg(long, value_enum)]
    pub on: Target,
    #[command(flatten)]
    pub run: Running,
}

#[derive(Debug, Subcommand)]
pub(crate) enum JobCommand {
    /// Run a job and follow it to its end
    Run(RunArgs),
    #[command(flatten)]
    Other(OtherJobCommand),
}

/// What is done with jobs besides running them.
#[derive(Debug, Subcommand)]
pub(crate) enum OtherJobCommand {
    /// Show the plan on each target, with what it relies on
    Explain {
        /// A file with the job's SQL
        #[arg(required_unless_present = "functions")]
        file: Option<PathBuf>,
        /// List the functions that a job may call, and what the engines are known to do differently
        #[arg(long, conflicts_with = "file")]
        functions: bool,
        /// What ${NAME} stands for in it; may be repeated
        #[arg(long, value_name = "NAME=VALUE", value_parser = super::statements::variable)]
        var: Vec<(String, String)>,
        /// The engines
        #[arg(
            long,
            value_enum,
            value_delimiter = ',',
            default_value = "stream,batch"
        )]
        on: Vec<Target>,
        #[command(flatten)]
        options: JobOptions,
    },
    /// Run a job on several targets from the same input and compare
    Verify {
        /// A file with the job's SQL
        file: PathBuf,
        /// What ${NAME} stands for in it; may be repeated
        #[arg(long, value_name = "NAME=VALUE", value_parser = super::statements::variable)]
        var: Vec<(String, String)>,
        /// The engines
        #[arg(
            long,
            value_enum,
            value_delimiter = ',',
            default_value = "stream,batch"
        )]
        on: Vec<Target>,
        #[command(flatten)]
        options: JobOptions,
    },
    /// List jobs, the latest first
    List {
        /// Only jobs in this state
        #[arg(long, value_enum)]
        state: Option<State>,
    },
    /// Show one job
    Show {
        /// The run's id
        id: String,
    },
    /// Stop a job for good
    Stop {
        /// The run's id
        id: String,
        /// Fire what is open and commit it first
        #[arg(long)]
        drain: bool,
    },
    /// Start a failed or parked job again, from its latest checkpoint
    Resume {
        /// The run's id
        id: String,
    },
    /// Forget jobs that have ended: their records and logs go, what they committed stays
    Delete {
        /// The runs' ids
        #[arg(required_unless_present = "all_ended", value_name = "ID")]
        ids: Vec<String>,
        /// Every job that has finished, failed or was stopped
        #[arg(long, conflicts_with = "ids")]
        all_ended: bool,
        /// Only those that ended so long ago, such as 7d
        #[arg(long, value_name = "DURATION", value_parser = super::duration::parse_ms, requires = "all_ended")]
        older_than: Option<u64>,
    },
    /// Show what became of a job: its starts, checkpoints now and then, trouble, and its end
    Logs {
        /// The run's id
        id: String,
        /// Go on until the job has ended
        #[arg(long)]
        follow: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum CatalogCommand {
    /// Read every record and compare the index with the journal
    Verify(Overrides),
    /// Print every record of the journal as JSON lines
    Export(Overrides),
    /// Make the index anew from the journal
    Rebuild {
        #[command(flatten)]
        overrides: Overrides,
        /// Give up every change from the first one on that cannot be read; the old journal is kept beside
        #[arg(long)]
        accept_loss: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the settings in force and where each comes from: the server's, where one answers at the URL and no flag is given
    Show {
        #[command(flatten)]
        overrides: Overrides,
        /// Ask no server: print what one that starts here would have
        #[arg(long)]
        offline: bool,
    },
}
