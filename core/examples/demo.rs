//! The main job: create a task, wait for it with progress, save its video, checked.
//!
//! `make demo` runs it against the emulator, or, with `JUNFEIAI_API_KEY` set, against the service itself.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use junfeiai::{Client, Result, VideoRequest};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(std::env::var("JUNFEIAI_LOG").unwrap_or_else(|_| "warn".to_owned()))
        .init();
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<()> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "target/demo/ball.mp4".to_owned());
    let mut builder = Client::builder().from_env();
    // The emulator's time runs faster; any other host is asked as the service wants it.
    if std::env::var_os("JUNFEIAI_DEMO_EMULATOR").is_some() {
        builder = builder.poll_interval(Duration::from_millis(150));
    }
    let client = builder.build()?;
    println!("entry     {}", client.endpoint());
    let request = VideoRequest::new("A small red ball bouncing once on a clean white tabletop, no text.")
        .seconds(4)
        .size("1280x720");
    let task = client.videos().create(request).await?;
    println!("task      {} (paid for {} s)", task.id(), task.billed_seconds().unwrap_or(4.0));
    let video = task
        .wait()
        .on_progress(|task| {
            let progress = task.progress().map_or_else(String::new, |progress| format!("{progress:>3.0} %"));
            println!("status    {:<12} {progress}", task.status().name());
            let _ = std::io::stdout().flush();
        })
        .await?;
    let summary = video.save(&path).overwrite(true).create_parents(true).sha256(true).await?;
    println!("file      {}", summary.path.display());
    println!("bytes     {} in {} request(s), {:.2} s", summary.bytes, summary.attempts, summary.elapsed.as_secs_f64());
    if let (Some(width), Some(height), Some(duration)) = (summary.width, summary.height, summary.duration) {
        println!("video     {width}x{height}, {:.2} s, structure checked", duration.as_secs_f64());
    }
    println!("sha256    {}", summary.sha256.unwrap_or_default());
    println!("play it   open it in a browser, or: ffplay {}", summary.path.display());
    Ok(())
}
