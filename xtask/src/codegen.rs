//! Generates `proto/src/generated` from `proto/proto`, with a compiler written in Rust.
//!
//! The compiler is built only on demand: without the feature `codegen` this task runs itself again
//! with it. Invariant: `--check` writes nothing into the checkout.

#[cfg(feature = "codegen")]
use crate::process::Failure;
use crate::process::Outcome;
use crate::workspace::Workspace;

/// What `cargo xtask codegen` takes.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Arguments {
    /// Writes nothing; fails if the committed code is not what would be generated
    #[arg(long)]
    pub(crate) check: bool,
}

/// Builds the compiler and lets it do the work.
#[cfg(not(feature = "codegen"))]
pub(crate) fn run(_: &Workspace, arguments: &Arguments) -> Outcome {
    let mut command = crate::process::cargo(&[
        "run",
        "--quiet",
        "--package",
        "xtask",
        "--features",
        "codegen",
    ]);
    command.args(crate::profile::QUICK).args(["--", "codegen"]);
    if arguments.check {
        command.arg("--check");
    }
    crate::process::run(&mut command)
}

/// Generates, then writes or compares.
#[cfg(feature = "codegen")]
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Outcome {
    let committed = workspace.root.join("proto/src/generated");
    for (name, content) in compile(workspace)? {
        let path = committed.join(name);
        if !arguments.check {
            std::fs::write(&path, content).map_err(Failure::while_doing(path.display()))?;
        } else if std::fs::read(&path).ok().as_ref() != Some(&content) {
            let why = "is not what proto/proto gives; run `cargo xtask codegen`";
            return Err(Failure::new(format!("{} {why}", path.display())));
        }
    }
    Ok(())
}

/// The generated files by name.
#[cfg(feature = "codegen")]
fn compile(workspace: &Workspace) -> Result<Vec<(&'static str, Vec<u8>)>, Failure> {
    const CODE: &str = "flinkspark.v1.rs";
    let scratch = workspace.target.join("codegen");
    std::fs::create_dir_all(&scratch).map_err(Failure::while_doing(scratch.display()))?;

    let folder = workspace.root.join("proto/proto");
    let mut compiler =
        protox::Compiler::new([folder]).map_err(Failure::while_doing("proto/proto"))?;
    compiler.include_imports(true).include_source_info(true);
    let files = [
        "flinkspark/v1/access.proto",
        "flinkspark/v1/catalog.proto",
        "flinkspark/v1/jobs.proto",
        "flinkspark/v1/server.proto",
    ];
    compiler
        .open_files(files)
        .map_err(|cause| Failure::new(format!("{cause:?}")))?;

    tonic_prost_build::configure()
        .out_dir(&scratch)
        .btree_map(".")
        .compile_fds(compiler.file_descriptor_set())
        .map_err(Failure::while_doing("generating"))?;
    let code = std::fs::read(scratch.join(CODE)).map_err(Failure::while_doing(CODE))?;

    // Reflection needs names and types only: comments would double its size.
    compiler.include_source_info(false);
    Ok(vec![
        (CODE, code),
        ("flinkspark.v1.bin", compiler.encode_file_descriptor_set()),
    ])
}
