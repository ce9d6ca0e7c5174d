//! Tools of this repository: `cargo run -p xtask -- header | options | install-c`, the first two with `--check`.

#[cfg(feature = "core")]
mod header;
#[cfg(feature = "core")]
mod install;
mod options;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "xtask", about)]
struct Options {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Writes bindings-c/include/junfeiai.h anew.
    #[cfg(feature = "core")]
    Header {
        /// Only says whether the committed file is what would be written.
        #[arg(long)]
        check: bool,
    },
    /// Writes what every language says about options, from core/options.toml.
    Options {
        /// Only says whether the committed files are what would be written.
        #[arg(long)]
        check: bool,
    },
    /// Builds and installs the C library: headers, shared and static library, pkg-config file, `CMake` package.
    #[cfg(feature = "core")]
    InstallC(install::Options),
}

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The root of the repository.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

fn main() -> ExitCode {
    let result = match Options::parse().task {
        #[cfg(feature = "core")]
        Task::Header { check } => header::run(check),
        Task::Options { check } => options::run(check),
        #[cfg(feature = "core")]
        Task::InstallC(options) => install::run(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}
