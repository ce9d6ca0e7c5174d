//! Listeners and connections.

use std::{net::TcpListener as StdListener, sync::Arc, time::Duration};

use axum::Router;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpListener, time::sleep};

use crate::{
    exchange,
    io::{Connection, Stream},
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
        let open = Open(Arc::clone(&state));
        let io = TokioIo::new(Stream::new(tcp, Arc::clone(&connection)));
        let (state, router) = (Arc::clone(&state), router.clone());
        let service = service_fn(move |request| {
            exchange::serve(Arc::clone(&state), router.clone(), host, Arc::clone(&connection), request)
        });
        let served =
            http1::Builder::new().timer(TokioTimer::new()).max_buf_size(256 * 1024).serve_connection(io, service);
        // An error here is a connection that ended early: the peer's doing, or the scenario's.
        tokio::spawn(async move {
            served.await.ok();
            drop(open);
        });
    }
}

/// A connection that is counted as open.
struct Open(Arc<State>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.lock().stats.open_connections -= 1;
    }
}
