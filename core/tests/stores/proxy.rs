//! A TCP proxy that cuts connections between a request and its answer.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// What is cut next.
pub(crate) enum Cut {
    /// The connection, before the request has reached the server.
    Request,
    /// The connection, when the server has answered but nobody has read it. It says so, and waits until it is told.
    Answer { answered: oneshot::Sender<()>, then: oneshot::Receiver<()> },
}

pub(crate) struct Proxy {
    pub(crate) port: u16,
    next: Arc<Mutex<Option<Cut>>>,
    serve: JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn new(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let next = Arc::new(Mutex::new(None));
        let cut = next.clone();
        let serve = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let cut = cut.clone();
                tokio::spawn(async move {
                    if let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await {
                        pass(client, server, &cut).await;
                    }
                });
            }
        });
        Self { port, next, serve }
    }

    pub(crate) fn cut_request(&self) {
        *self.next.lock().unwrap() = Some(Cut::Request);
    }

    /// Gives what says that the server has answered, and what lets the cut take place.
    pub(crate) fn cut_answer(&self) -> (oneshot::Receiver<()>, oneshot::Sender<()>) {
        let ((answered, told), (go, then)) = (oneshot::channel(), oneshot::channel());
        *self.next.lock().unwrap() = Some(Cut::Answer { answered, then });
        (told, go)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serve.abort();
    }
}

async fn pass(mut client: TcpStream, mut server: TcpStream, next: &Mutex<Option<Cut>>) {
    let (mut from_client, mut from_server) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        tokio::select! {
            read = client.read(&mut from_client) => {
                let Ok(length @ 1..) = read else { return };
                if next.lock().unwrap().take_if(|cut| matches!(cut, Cut::Request)).is_some() {
                    return;
                }
                if server.write_all(&from_client[..length]).await.is_err() {
                    return;
                }
            }
            read = server.read(&mut from_server) => {
                let Ok(length @ 1..) = read else { return };
                let cut = next.lock().unwrap().take_if(|cut| matches!(cut, Cut::Answer { .. }));
                if let Some(Cut::Answer { answered, then }) = cut {
                    let _ = answered.send(());
                    let _ = then.await;
                    return;
                }
                if client.write_all(&from_server[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}
