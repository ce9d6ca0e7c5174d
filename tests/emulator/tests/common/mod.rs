//! A raw HTTP client for the tests: it sees every byte and how the connection ended.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::{
    collections::BTreeMap,
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use junfeiai_emulator::Emulator;
use serde_json::{Value, json};

pub(crate) const KEY: &str = "sk-test";
pub(crate) const CREATE: &str = "/v1/video/generations";

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Eof,
    Reset,
    Timeout,
}

/// Everything that came back.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// 0 when no status line came.
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, Vec<String>>,
    pub(crate) body: Vec<u8>,
    pub(crate) end: End,
    pub(crate) took: Duration,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.first().map(String::as_str)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {:?}", String::from_utf8_lossy(&self.body)))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn announced(&self) -> Option<usize> {
        self.header("content-length")?.parse().ok()
    }
}

/// How long an answer may be silent until it counts as one that does not come: what a busy machine never needs.
const PATIENCE: Duration = Duration::from_secs(5);

/// One request on a connection of its own.
pub(crate) fn send(port: u16, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let started = Instant::now();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut request = format!("{method} {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n");
    for (name, value) in headers {
        request += &[name, ": ", value, "\r\n"].concat();
    }
    if !body.is_empty() || method == "POST" {
        request += &["content-length: ", &body.len().to_string(), "\r\n"].concat();
    }
    request += "\r\n";
    request += body;
    stream.write_all(request.as_bytes()).unwrap();
    let mut raw = Vec::new();
    let mut piece = vec![0; 256 * 1024];
    let end = loop {
        match stream.read(&mut piece) {
            Ok(0) => break End::Eof,
            Ok(count) => raw.extend_from_slice(&piece[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break End::Timeout,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => break End::Reset,
        }
        if raw.len() > 24 * 1024 * 1024 {
            break End::Timeout;
        }
    };
    parse(&raw, end, started.elapsed())
}

/// The bytes of an answer as they came, with the key.
pub(crate) fn raw(port: u16, path: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer sk-test\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut raw = Vec::new();
    // A reset ends it, too.
    stream.read_to_end(&mut raw).ok();
    raw
}

fn parse(raw: &[u8], end: End, took: Duration) -> Answer {
    let mut answer = Answer { status: 0, headers: BTreeMap::new(), body: Vec::new(), end, took };
    let Some(split) = raw.windows(4).position(|window| window == b"\r\n\r\n") else { return answer };
    let head = String::from_utf8_lossy(&raw[..split]).into_owned();
    let mut lines = head.split("\r\n");
    answer.status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    for line in lines {
        let (name, value) = line.split_once(':').unwrap();
        answer.headers.entry(name.to_ascii_lowercase()).or_default().push(value.trim().to_owned());
    }
    let body = &raw[split + 4..];
    answer.body = if answer.header("transfer-encoding") == Some("chunked") { dechunk(body) } else { body.to_vec() };
    answer
}

fn dechunk(mut body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some(line) = body.windows(2).position(|window| window == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&body[..line]).unwrap(), 16).unwrap();
        body = &body[line + 2..];
        let part = size.min(body.len());
        out.extend_from_slice(&body[..part]);
        if size == 0 || body.len() < size + 2 {
            break;
        }
        body = &body[size + 2..];
    }
    out
}

/// With the key.
pub(crate) fn get(emulator: &Emulator, path: &str) -> Answer {
    send(emulator.port(), "GET", path, &[("authorization", "Bearer sk-test")], "")
}

/// With the key and a range.
pub(crate) fn get_range(emulator: &Emulator, path: &str, range: &str) -> Answer {
    send(emulator.port(), "GET", path, &[("authorization", "Bearer sk-test"), ("range", range)], "")
}

/// A create request with the key.
pub(crate) fn post(emulator: &Emulator, body: &Value) -> Answer {
    let headers = [("authorization", "Bearer sk-test"), ("content-type", "application/json")];
    send(emulator.port(), "POST", CREATE, &headers, &body.to_string())
}

/// A create request with another key.
pub(crate) fn post_as(emulator: &Emulator, key: &str, body: &Value) -> Answer {
    let headers = [("authorization", key), ("content-type", "application/json")];
    send(emulator.port(), "POST", CREATE, &headers, &body.to_string())
}

/// With another key.
pub(crate) fn get_as(emulator: &Emulator, key: &str, path: &str) -> Answer {
    send(emulator.port(), "GET", path, &[("authorization", key)], "")
}

/// A good create request.
pub(crate) fn wish() -> Value {
    json!({ "model": "grok-image-video", "prompt": "a cat", "seconds": "6", "size": "320x192" })
}

/// Makes a task and returns its id.
pub(crate) fn create(emulator: &Emulator) -> String {
    post(emulator, &wish()).json()["id"].as_str().unwrap().to_owned()
}

pub(crate) fn query(emulator: &Emulator, id: &str) -> Answer {
    get(emulator, &format!("{CREATE}/{id}"))
}

pub(crate) fn content_path(id: &str) -> String {
    format!("/v1/videos/{id}/content")
}

/// An emulator whose time runs fast and whose scenario is this JSON.
pub(crate) fn emulator(scenario: &str) -> Emulator {
    let emulator = Emulator::builder().time_scale(1_000.0).second_host(true).start().unwrap();
    emulator.set_scenario_json(scenario).unwrap();
    emulator
}

/// One rule for one operation, once.
pub(crate) fn with_fault(op: &str, fault: &str) -> Emulator {
    emulator(&format!(r#"{{"rules":[{{"match":{{"op":"{op}"}},"times":1,"fault":{fault}}}]}}"#))
}
