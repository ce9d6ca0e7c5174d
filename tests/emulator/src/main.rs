//! The emulator as a program: `junfeiai-emulator --port 0 --api-key sk-test --time-scale 60`.

use std::{
    fs,
    io::{Read, Write},
    net::IpAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Parser;
use junfeiai_emulator::{Emulator, Scenario};
use tokio::runtime::{Builder, Runtime};

/// A local stand-in for the video API, faults included. Costs nothing and needs no network.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Options {
    /// Port to listen at; 0 lets the system choose
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// The key that works
    #[arg(long, default_value = "sk-test")]
    api_key: String,
    /// Service seconds per real second
    #[arg(long, default_value_t = 60.0)]
    time_scale: f64,
    /// JSON file that says how the service behaves
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// Open a second host for the same files at this port; 0 lets the system choose
    #[arg(long, value_name = "PORT")]
    second_port: Option<u16>,
    /// Address to listen at
    #[arg(long, default_value = "127.0.0.1")]
    host: IpAddr,
    /// Allow an address that other machines can reach
    #[arg(long)]
    allow_remote: bool,
    /// Size of every file in bytes
    #[arg(long, value_name = "N")]
    video_bytes: Option<u64>,
    /// Speak TLS on every port, with a CA made for this run; its certificate is printed behind the listening lines
    #[arg(long)]
    tls: bool,
    /// The same, with the CA's certificate (PEM) in this file in place of the output
    #[arg(long, value_name = "FILE")]
    tls_ca: Option<PathBuf>,
    /// End when standard input is closed
    #[arg(long)]
    exit_with_stdin: bool,
    /// Print nothing but the listening lines
    #[arg(long)]
    quiet: bool,
}

fn main() -> ExitCode {
    // Bad options end in clap's own message and exit code 2.
    let options = Options::parse();
    let quiet = options.quiet;
    let runtime = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start: {error}");
            return ExitCode::from(2);
        }
    };
    // Before the address is printed: whoever has read it may end us.
    let interrupted = {
        let _inside = runtime.enter();
        interrupted()
    };
    match start(options) {
        Ok((emulator, exit_with_stdin)) => {
            wait(&runtime, interrupted, exit_with_stdin);
            if !quiet {
                eprintln!("{} requests, {} tasks made", emulator.requests().len(), emulator.created_tasks());
            }
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::from(2)
        }
    }
}

fn start(options: Options) -> Result<(Emulator, bool), String> {
    if !options.host.is_loopback() && !options.allow_remote {
        return Err(format!(
            "--host {}: other machines could reach it; add --allow-remote if that is meant",
            options.host
        ));
    }
    let mut builder = Emulator::builder()
        .host(options.host)
        .port(options.port)
        .api_key(options.api_key)
        .time_scale(options.time_scale)
        .tls(options.tls || options.tls_ca.is_some());
    if let Some(path) = &options.scenario {
        builder = builder.scenario(read_scenario(path)?);
    }
    if let Some(port) = options.second_port {
        builder = builder.second_port(port);
    }
    if let Some(bytes) = options.video_bytes {
        builder = builder.video_bytes(bytes);
    }
    let emulator = builder.start().map_err(|error| format!("cannot start: {error}"))?;
    let ca = emulator.ca_pem();
    if let (Some(path), Some(pem)) = (&options.tls_ca, &ca) {
        fs::write(path, pem).map_err(|error| format!("--tls-ca {}: {error}", path.display()))?;
    }
    let mut out = std::io::stdout().lock();
    // A reader that has gone already does not keep the emulator from serving.
    let _ = writeln!(out, "listening on {}", emulator.origin());
    if let Some(second) = emulator.second_origin() {
        let _ = writeln!(out, "second host on {second}");
    }
    if let (None, Some(pem)) = (&options.tls_ca, &ca) {
        let _ = write!(out, "{pem}");
    }
    let _ = out.flush();
    Ok((emulator, options.exit_with_stdin))
}

fn read_scenario(path: &Path) -> Result<Scenario, String> {
    let name = path.display();
    let text = fs::read_to_string(path).map_err(|error| format!("--scenario {name}: {error}"))?;
    Scenario::from_json(&text).map_err(|error| format!("--scenario {name}: {error}"))
}

/// Returns when the program was interrupted, or when standard input ends if that was asked for.
fn wait(runtime: &Runtime, interrupted: impl Future<Output = ()>, exit_with_stdin: bool) {
    let (closed, stdin) = tokio::sync::oneshot::channel::<()>();
    let closed = if exit_with_stdin {
        std::thread::spawn(move || {
            let mut rest = [0; 1024];
            while std::io::stdin().read(&mut rest).is_ok_and(|count| count > 0) {}
            closed.send(()).ok();
        });
        None
    } else {
        Some(closed)
    };
    runtime.block_on(async {
        tokio::select! {
            () = interrupted => {}
            _ = stdin => {}
        }
    });
    drop(closed);
}

/// Is ready at SIGINT or SIGTERM, as of this call.
#[cfg(unix)]
fn interrupted() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    async move {
        let (Ok(mut interrupt), Ok(mut terminate)) = signals else { return };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}

/// Is ready at Ctrl-C.
#[cfg(not(unix))]
async fn interrupted() {
    tokio::signal::ctrl_c().await.ok();
}
