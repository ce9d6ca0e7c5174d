//! What waiting costs: memory for each of many tasks that wait in one process, and CPU while they do.
//!
//! `cargo run --release -p junfeiai --example waiting -- [TASKS] [SECONDS]` (10000 tasks, 30 s). Starts the emulator in
//! a second process, so that its memory does not count.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use junfeiai::Client;
use junfeiai_emulator::{Emulator, Outcome, TaskPlan, TaskSpec, TaskState};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve"] => serve(),
        ["measure", base_url, tasks, rate, seconds] => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(measure(base_url, tasks.parse()?, rate.parse()?, seconds.parse()?))
        }
        [] => compare(10_000, 30),
        [tasks] => compare(tasks.parse()?, 30),
        [tasks, seconds, ..] => compare(tasks.parse()?, seconds.parse()?),
    }
}

/// Each measurement in a process of its own: memory that was freed does not come back to the system.
fn compare(tasks: usize, seconds: u64) -> Result<(), Failure> {
    let own = std::env::current_exe()?;
    let mut server = Command::new(&own).arg("serve").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut base_url = String::new();
    BufReader::new(server.stdout.take().ok_or("no output")?).read_line(&mut base_url)?;
    println!("tasks  budget/s  future B  all polled  B/task  peak B/task  CPU s in {seconds} s  threads");
    for (tasks, rate) in [(1, 2.0), (tasks, 2.0), (tasks, 400.0)] {
        let numbers = [tasks.to_string(), rate.to_string(), seconds.to_string()];
        Command::new(&own).args(["measure", base_url.trim()]).args(numbers).status()?;
    }
    drop(server.stdin.take());
    server.wait()?;
    Ok(())
}

/// The emulator with tasks that never end, until the standard input does.
fn serve() -> Result<(), Failure> {
    let emulator = Emulator::builder().start()?;
    let plan = TaskPlan { outcome: Outcome::Stuck, ..TaskPlan::default() };
    for index in 0..10_000 {
        let id = Some(format!("task_{index:032}"));
        emulator.add_task(TaskSpec { id, state: TaskState::Running, plan: plan.clone(), ..TaskSpec::default() });
    }
    println!("{}", emulator.base_url());
    std::io::stdout().flush()?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

async fn measure(base_url: &str, tasks: usize, rate: f64, seconds: u64) -> Result<(), Failure> {
    let client = Client::builder().api_key("sk-test").endpoint(base_url).request_rate(rate, 4);
    let client = client.poll_interval(Duration::from_secs(5)).build()?;
    // The base: runtime, HTTP client and connections have come to life.
    client.videos().get("task_00000000000000000000000000000000").await?;
    let wait = client.videos().task("task_1")?.wait().into_future();
    let future = size_of_val(&*wait);
    drop(wait);
    let before = status("VmRSS")?;
    let mut waits = tokio::task::JoinSet::new();
    for index in 0..tasks {
        waits.spawn(client.videos().task(&format!("task_{:032}", index % 10_000))?.wait().into_future());
    }
    // Every task is asked for at least once where the budget allows that.
    let settle = (tasks as f64 / rate * 1.3 + 2.0).min(30.0);
    tokio::time::sleep(Duration::from_secs_f64(settle)).await;
    let (cpu, begun) = (cpu_seconds()?, Instant::now());
    let mut peak = 0;
    let mut sum = 0;
    let mut samples = 0;
    while begun.elapsed() < Duration::from_secs(seconds) {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let now = status("VmRSS")?;
        peak = peak.max(now);
        sum += now;
        samples += 1;
    }
    let used = cpu_seconds()? - cpu;
    let each = |kib: usize| (kib.saturating_sub(before) * 1024) / tasks;
    println!(
        "{tasks:5} {rate:9} {future:9} {:11} {:7} {:12} {used:14.2} {:8}",
        rate * settle >= tasks as f64,
        each(sum / samples.max(1)),
        each(peak),
        status("Threads")?
    );
    waits.shutdown().await;
    Ok(())
}

/// A number of `/proc/self/status`.
fn status(name: &str) -> Result<usize, Failure> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).ok_or("no such line")?;
    Ok(line.split_whitespace().next().ok_or("an empty line")?.parse()?)
}

/// User and system time of this process, in seconds.
fn cpu_seconds() -> Result<f64, Failure> {
    let text = std::fs::read_to_string("/proc/self/stat")?;
    let rest = text.rsplit(')').next().ok_or("an odd line")?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).map_or(Ok(0.0), |field| field.parse::<f64>());
    Ok((ticks(11)? + ticks(12)?) / 100.0)
}
