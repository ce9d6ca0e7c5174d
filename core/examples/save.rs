//! Saves one video by its address: `save URL PATH [CONNECTIONS]`. What `make bench` measures.

use std::process::ExitCode;

use junfeiai::DownloadPolicy;
use junfeiai::{Client, Result};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let (Some(url), Some(path)) = (args.next(), args.next()) else {
        eprintln!("usage: save URL PATH [CONNECTIONS]");
        std::process::exit(2);
    };
    let connections = args.next().and_then(|text| text.parse().ok()).unwrap_or(1);
    let mut builder = Client::builder().from_env().sdk_name("bench");
    // The origin of the URL is the entry here, so that the key goes along.
    let origin: String = url.split('/').take(3).collect::<Vec<_>>().join("/");
    builder = builder.endpoint(origin);
    if let Ok(path) = std::env::var("BENCH_CA_FILE") {
        builder = builder.ca_file(path);
    }
    let client = junfeiai::blocking::Client::build(builder)?;
    let video = client.inner().videos().video_at(&url)?;
    let verify = std::env::var_os("BENCH_NO_VERIFY").is_none();
    let policy = DownloadPolicy { connections, verify, first_bytes: verify, ..DownloadPolicy::default() };
    let summary = client.run(video.save(path).overwrite(true).policy(policy))?;
    println!("{} bytes in {:.3} s, {} requests", summary.bytes, summary.elapsed.as_secs_f64(), summary.attempts);
    Ok(())
}
