//! Servers made by hand, which answer anything and keep every byte they are sent.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// One request as it came in: everything up to the empty line, and what of a body was there.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The head and the beginning of the body, to the letter.
    pub bytes: Vec<u8>,
}

impl Seen {
    /// The first line.
    pub fn line(&self) -> String {
        String::from_utf8_lossy(&self.bytes).lines().next().unwrap_or_default().to_owned()
    }

    /// The path, or the target of a CONNECT.
    pub fn path(&self) -> String {
        self.line().split(' ').nth(1).unwrap_or_default().to_owned()
    }
}

type Handler = dyn Fn(&Seen, &mut Out) + Send + Sync;

/// Where a handler writes its answer. Counts what the other side took.
pub struct Out {
    stream: TcpStream,
    taken: Arc<AtomicU64>,
}

impl Out {
    /// Writes; false when the other side has hung up.
    pub fn write(&mut self, bytes: &[u8]) -> bool {
        let good = self.stream.write_all(bytes).is_ok();
        if good {
            self.taken.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        }
        good
    }

    /// What the other side sends next, as one piece; empty when it hung up or says nothing.
    pub fn read(&mut self) -> Vec<u8> {
        let mut piece = vec![0; 16 * 1024];
        let count = self.stream.read(&mut piece).unwrap_or_default();
        piece.truncate(count);
        piece
    }

    /// A whole answer.
    pub fn answer(&mut self, status: u16, headers: &[(&str, &str)], body: &[u8]) {
        let mut head = format!("HTTP/1.1 {status} Whatever\r\nContent-Length: {}\r\nConnection: close\r\n", body.len());
        for (name, value) in headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        self.write(head.as_bytes());
        self.write(b"\r\n");
        self.write(body);
    }

    /// JSON with 200.
    pub fn json(&mut self, body: &str) {
        self.answer(200, &[("Content-Type", "application/json")], body.as_bytes());
    }

    /// The same piece again and again until the other side has had enough, or `most` bytes went out.
    pub fn endless(&mut self, piece: &[u8], most: u64) {
        let mut sent = 0;
        while sent < most && self.write(piece) {
            sent += piece.len() as u64;
        }
    }
}

/// A server on a free port of this machine. It ends when it is dropped.
pub struct Server {
    port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
    taken: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
}

impl Server {
    /// Starts one that answers by this function, one connection per request.
    ///
    /// # Panics
    /// When no port is free.
    pub fn start(handler: impl Fn(&Seen, &mut Out) + Send + Sync + 'static) -> Self {
        let handler: Arc<Handler> = Arc::new(handler);
        let four = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = four.local_addr().unwrap().port();
        let (seen, taken, over) = (Arc::default(), Arc::default(), Arc::default());
        let server = Self { port, seen, taken, over };
        server.listen(four, &handler);
        // Where there is IPv6 the same port answers there, too.
        if let Ok(six) = TcpListener::bind(("::1", port)) {
            server.listen(six, &handler);
        }
        server
    }

    fn listen(&self, listener: TcpListener, handler: &Arc<Handler>) {
        let (seen, taken, over, handler) = (self.seen.clone(), self.taken.clone(), self.over.clone(), handler.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let (seen, taken, handler) = (seen.clone(), taken.clone(), handler.clone());
                std::thread::spawn(move || serve(stream, &seen, taken, &*handler));
            }
        });
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `http://127.0.0.1:PORT`.
    pub fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What came in so far.
    ///
    /// # Panics
    /// When a handler panicked.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Bytes that went out so far.
    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // The listeners wake up and find that it is over.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        let _ = TcpStream::connect(("::1", self.port));
    }
}

fn serve(mut stream: TcpStream, seen: &Mutex<Vec<Seen>>, taken: Arc<AtomicU64>, handler: &Handler) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(20)));
    let mut bytes = Vec::new();
    let mut piece = [0; 16 * 1024];
    let end = loop {
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => break None,
            Ok(count) => bytes.extend_from_slice(piece.get(..count).unwrap_or_default()),
        }
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break Some(at + 4);
        }
    };
    // A connection that brought nothing was made to wake the listener.
    if bytes.is_empty() {
        return;
    }
    if let Some(end) = end {
        let head = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        while bytes.len() < end + length.unwrap_or(0_usize) {
            match stream.read(&mut piece) {
                Ok(0) | Err(_) => break,
                Ok(count) => bytes.extend_from_slice(piece.get(..count).unwrap_or_default()),
            }
        }
    }
    let request = Seen { bytes };
    if let Ok(mut seen) = seen.lock() {
        seen.push(request.clone());
    }
    handler(&request, &mut Out { stream, taken });
}
