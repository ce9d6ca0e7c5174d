//! The program: its first lines, its end, its refusals.

mod common;

use std::{
    io::{BufRead, BufReader, Read, Write},
    process::{Command, Output, Stdio},
};

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_junfeiai-emulator"))
}

fn refused(args: &[&str]) -> String {
    let Output { status, stdout, stderr } = program().args(args).output().unwrap();
    let text = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(2), "{args:?}: {text}");
    assert!(stdout.is_empty(), "{args:?}");
    text
}

#[test]
fn bad_options_end_with_two_and_a_reason() {
    assert!(refused(&["--no-such"]).contains("--no-such"));
    assert!(refused(&["--port", "70000"]).contains("--port"));
    assert!(refused(&["--time-scale", "0"]).contains("time scale"));
    assert!(refused(&["--host", "0.0.0.0"]).contains("--allow-remote"));
    assert!(refused(&["--scenario", "/no/such/file.json"]).contains("/no/such/file.json"));
    let path = std::env::temp_dir().join(format!("junfeiai-emulator-{}.json", std::process::id()));
    std::fs::write(&path, r#"{"content":{"rage":"ignore"}}"#).unwrap();
    let text = refused(&["--scenario", path.to_str().unwrap()]);
    std::fs::remove_file(&path).unwrap();
    assert!(text.contains("rage") && text.lines().count() == 1, "{text}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    assert!(refused(&["--port", &port]).contains("cannot start"));
}

#[test]
fn it_says_where_it_listens_and_ends_with_its_input() {
    let mut child = program()
        .args(["--port", "0", "--api-key", "sk-cli", "--second-port", "0", "--exit-with-stdin", "--quiet"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    let port: u16 = first.strip_prefix("listening on http://127.0.0.1:").unwrap().parse().unwrap();
    let second = lines.next().unwrap().unwrap();
    assert!(second.starts_with("second host on http://127.0.0.1:"), "{second}");
    let answer = common::send(port, "GET", "/v1/models", &[("authorization", "Bearer sk-cli")], "");
    assert_eq!(answer.status, 200);
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"still here\n").unwrap();
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[test]
fn with_tls_it_says_whom_to_trust() {
    const PEM: &str = "-----BEGIN CERTIFICATE-----";
    let start = |args: &[&str]| {
        let mut child = program()
            .args(["--exit-with-stdin", "--quiet"])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut first).unwrap();
        drop(child.stdin.take());
        let mut rest = String::new();
        out.read_to_string(&mut rest).unwrap();
        assert!(child.wait().unwrap().success() && first.starts_with("listening on https://127.0.0.1:"), "{first}");
        rest
    };
    assert!(start(&["--tls"]).starts_with(PEM));
    let path = std::env::temp_dir().join(format!("junfeiai-emulator-{}.pem", std::process::id()));
    assert_eq!(start(&["--tls-ca", path.to_str().unwrap()]), "");
    assert!(std::fs::read_to_string(&path).unwrap().starts_with(PEM));
    std::fs::remove_file(&path).unwrap();
    assert!(refused(&["--tls-ca", "/no/such/folder/ca.pem"]).contains("--tls-ca"));
}

#[cfg(unix)]
#[test]
fn it_ends_at_sigterm() {
    let mut child = program().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    assert!(child.wait().unwrap().success());
}
