//! Listeners and connections.

use std::{net::TcpListener as StdListener, sync::Arc, time::Duration};

use axum::Router;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    time::sleep,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    exchange,
    io::{Connection, Stream, Tcp, Wire},
    rules::HostName,
    state::State,
};

/// Accepts connections until the runtime ends.
pub(crate) async fn run(state: Arc<State>, router: Router, host: HostName, listener: StdListener) {
    let Ok(listener) = TcpListener::from_std(listener) else {
        return;
    };
    loop {
        let Ok((tcp, _)) = listener.accept().await else {
            // Out of descriptors: there is nothing better to do than to wait for some.
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        let number = {
            let mut inner = state.lock();
            inner.stats.connections += 1;
            inner.stats.open_connections += 1;
            inner.stats.connections
        };
        let _ = tcp.set_nodelay(true);
        let connection = Arc::new(Connection::new(number));
        tokio::spawn(speak(Arc::clone(&state), router.clone(), host, tcp, connection));
    }
}

/// One connection from its first byte to its end.
async fn speak(state: Arc<State>, router: Router, host: HostName, tcp: TcpStream, connection: Arc<Connection>) {
    let _open = Open(Arc::clone(&state));
    let Some(wire) = secure(&state, Tcp::new(tcp, Arc::clone(&connection)), &connection).await else { return };
    // Without TLS, where TLS is spoken, only the emulator's own paths are served: a test steers it whatever the certificate.
    let misplaced = state.certificates.is_some() && matches!(wire, Wire::Plain(_));
    let io = TokioIo::new(Stream::new(wire, Arc::clone(&connection)));
    let service = service_fn(move |request| {
        exchange::serve(Arc::clone(&state), router.clone(), host, misplaced, Arc::clone(&connection), request)
    });
    // An error here is a connection that ended early: the peer's doing, or the scenario's.
    http1::Builder::new().timer(TokioTimer::new()).max_buf_size(256 * 1024).serve_connection(io, service).await.ok();
}

/// Makes a connection secure, as the scenario has it; `None` when it came to nothing.
async fn secure(state: &State, tcp: Tcp, connection: &Connection) -> Option<Wire> {
    let Some(certificates) = &state.certificates else { return Some(Wire::Plain(tcp)) };
    if !tcp.begins_with_tls().await.ok()? {
        return Some(Wire::Plain(tcp));
    }
    let (plan, fails) = {
        let mut inner = state.lock();
        let fails = inner.handshake_failures > 0;
        inner.handshake_failures = inner.handshake_failures.saturating_sub(1);
        (inner.scenario.tls.clone(), fails)
    };
    sleep(Duration::from_millis(plan.handshake_ms)).await;
    if fails {
        connection.reset_on_close();
        return None;
    }
    if !plan.close_notify {
        connection.end_silently();
    }
    let config = certificates.config(&plan).ok()?;
    let stream = TlsAcceptor::from(Arc::new(config)).accept(tcp).await.ok()?;
    // Whoever takes it would be answered in another language than was agreed on.
    let understood = stream.get_ref().1.alpn_protocol().is_none_or(|protocol| protocol == b"http/1.1");
    understood.then(|| Wire::Secure(Box::new(stream)))
}

/// A connection that is counted as open.
struct Open(Arc<State>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.lock().stats.open_connections -= 1;
    }
}
