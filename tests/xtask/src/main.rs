//! Tools of this repository: `cargo run -p xtask -- header | options | licences | bump | repository | install-c`, the first
//! four with `--check`.

mod elf;
mod files;
#[cfg(feature = "core")]
mod header;
mod install;
mod licences;
mod options;
mod repository;
mod version;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

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
    /// Writes the licence texts of what is linked into the packages, and copies of our own into the folders of packages.
    Licences {
        /// Only says whether the committed files are what would be written.
        #[arg(long)]
        check: bool,
    },
    /// Gives every place that names the version another one, and the changelog a heading for it.
    Bump {
        #[command(flatten)]
        options: version::Options,
        /// Another copy of the repository.
        #[arg(long)]
        root: Option<PathBuf>,
    },
    /// Names the repository in the manifests and makes the links of the guides whole, for packages that are published.
    Repository {
        #[command(flatten)]
        options: repository::Options,
        /// Another copy of the repository.
        #[arg(long)]
        root: Option<PathBuf>,
    },
    /// Builds and installs the C library: headers, shared and static library, pkg-config file, `CMake` package.
    InstallC(install::Options),
}

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The root of the repository.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

/// cargo at the root, without what the cargo that runs us says of this package: build scripts ask for such variables, and whatever
/// depends on them would be compiled anew by each in turn.
fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let ours = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];
        if name.to_str().is_some_and(|name| ours.iter().any(|begin| name.starts_with(begin)) || name == "OUT_DIR") {
            command.env_remove(name);
        }
    }
    command.current_dir(root());
    command
}

fn main() -> ExitCode {
    let result = match Options::parse().task {
        #[cfg(feature = "core")]
        Task::Header { check } => header::run(check),
        Task::Options { check } => options::run(check),
        Task::Licences { check } => licences::run(check),
        Task::Bump { options, root: other } => version::run(&other.unwrap_or_else(root), &options),
        Task::Repository { options, root: other } => repository::run(&other.unwrap_or_else(root), &options),
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
