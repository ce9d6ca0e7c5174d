//! Saves one video by its address: `save URL PATH [CONNECTIONS]`. What `make bench` measures. With `BENCH_THREADS` in a runtime of
//! several threads, where a thread of its own writes the file.

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
    let threads = std::env::var_os("BENCH_THREADS").and_then(|text| text.to_str()?.parse().ok());
    let verify = std::env::var_os("BENCH_NO_VERIFY").is_none();
    let policy = DownloadPolicy { connections, verify, first_bytes: verify, ..DownloadPolicy::default() };
    let save = video.save(path).overwrite(true).policy(policy);
    let summary = match threads {
        None => client.run(save)?,
        Some(threads) => {
            let mut runtime = tokio::runtime::Builder::new_multi_thread();
            #[allow(clippy::expect_used)] // a measurement that cannot begin
            let runtime = runtime.worker_threads(threads).enable_all().build().expect("a runtime");
            runtime.block_on(save.into_future())?
        }
    };
    println!("{} bytes in {:.3} s, {} requests", summary.bytes, summary.elapsed.as_secs_f64(), summary.attempts);
    Ok(())
}
