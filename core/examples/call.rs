//! One query, and one video, by us and by plain reqwest. What `make bench` measures.
//!
//! * `call get BASE COUNT`, `call get-async BASE COUNT`: our blocking and our async client ask for a task again and again
//! * `call reqwest-get BASE COUNT`: so does reqwest
//! * `call reqwest-save URL FILE`: reqwest reads a video into a file, piece by piece

use std::io::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use junfeiai::Client;
use reqwest::header::AUTHORIZATION;

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let result = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["get", base, count] => get(base, count),
        ["get-async", base, count] => get_async(base, count),
        ["reqwest-get", base, count] => reqwest_get(base, count),
        ["reqwest-save", url, file] => reqwest_save(url, file),
        _ => Err("see the head of this file for its arguments".into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn ours(base: &str) -> junfeiai::ClientBuilder {
    Client::builder().from_env().endpoint(base).request_rate(1e6, 1_000_000)
}

fn get(base: &str, count: &str) -> Result<(), Failure> {
    let client = junfeiai::blocking::Client::build(ours(base))?;
    timed(count, || Ok(client.get("task_1").map(drop)?))
}

fn get_async(base: &str, count: &str) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let client = ours(base).build()?;
    runtime.block_on(timed_async(count, async || Ok(client.videos().get("task_1").await.map(drop)?)))
}

fn reqwest_get(base: &str, count: &str) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (client, url) = (plain()?, format!("{base}/video/generations/task_1"));
    runtime.block_on(timed_async(count, async || {
        let answer = client.get(&url).header(AUTHORIZATION, authorization()).send().await?.error_for_status()?;
        let answer: serde_json::Value = serde_json::from_slice(&answer.bytes().await?)?;
        if answer["code"] == "success" { Ok(()) } else { Err("an odd answer".into()) }
    }))
}

fn reqwest_save(url: &str, file: &str) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut file = std::fs::File::create(file)?;
        let answer = plain()?.get(url).header(AUTHORIZATION, authorization()).send().await?;
        let mut answer = answer.error_for_status()?;
        while let Some(piece) = answer.chunk().await? {
            file.write_all(&piece)?;
        }
        Ok(())
    })
}

fn plain() -> Result<reqwest::Client, Failure> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder();
    if let Ok(path) = std::env::var("BENCH_CA_FILE") {
        builder = builder.tls_certs_only([reqwest::Certificate::from_pem(&std::fs::read(path)?)?]);
    }
    Ok(builder.build()?)
}

fn authorization() -> String {
    format!("Bearer {}", std::env::var("JUNFEIAI_API_KEY").unwrap_or_default())
}

fn timed(count: &str, mut turn: impl FnMut() -> Result<(), Failure>) -> Result<(), Failure> {
    let count: u32 = count.parse()?;
    for _ in 0..50 {
        turn()?;
    }
    let (cpu, wall) = (cpu()?, Instant::now());
    for _ in 0..count {
        turn()?;
    }
    print(count, cpu, wall)
}

async fn timed_async(count: &str, mut turn: impl AsyncFnMut() -> Result<(), Failure>) -> Result<(), Failure> {
    let count: u32 = count.parse()?;
    for _ in 0..50 {
        turn().await?;
    }
    let (cpu, wall) = (cpu()?, Instant::now());
    for _ in 0..count {
        turn().await?;
    }
    print(count, cpu, wall)
}

/// Microseconds of CPU and of the clock for each turn.
fn print(count: u32, since: Duration, wall: Instant) -> Result<(), Failure> {
    let each = |time: Duration| time.as_secs_f64() * 1e6 / f64::from(count);
    println!("{} {}", each(cpu()?.saturating_sub(since)), each(wall.elapsed()));
    Ok(())
}

/// User and system time of this process, in hundredths of a second.
fn cpu() -> Result<Duration, Failure> {
    let text = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = text.rsplit(')').next().ok_or("an odd line")?.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok()).ok_or("an odd line");
    Ok(Duration::from_millis(10 * (ticks(11)? + ticks(12)?)))
}
