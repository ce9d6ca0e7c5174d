//! A network of the imagination: any host, any answer, and a note of who was sent the key.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::future::ready;
use futures_util::stream::iter;
use junfeiai::transport::{HttpRequest, HttpResponse, Transport, TransportError};

/// An answer: status, headers, body.
pub type Answer = (u16, Vec<(&'static str, String)>, Vec<u8>);

/// What was asked, and whether the key went along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Method and URL.
    pub what: String,
    /// True when the key was there.
    pub key: bool,
    /// True when the caller's headers were there.
    pub headers: bool,
}

/// The network.
pub struct Net {
    answer: Box<dyn Fn(&HttpRequest) -> Answer + Send + Sync>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Net {
    /// One that answers by this function.
    pub fn new(answer: impl Fn(&HttpRequest) -> Answer + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { answer: Box::new(answer), asked: Arc::default() })
    }

    /// What was asked so far.
    ///
    /// # Panics
    /// When an answer panicked.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

impl Transport for Net {
    fn send(
        &self,
        request: HttpRequest,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<HttpResponse, TransportError>> + Send>> {
        let asked = Asked {
            what: format!("{} {}", request.method.name(), request.url),
            key: request.key.is_some(),
            headers: !request.custom_headers.is_empty(),
        };
        self.asked.lock().unwrap().push(asked);
        let (status, headers, body) = (self.answer)(&request);
        let body = Box::pin(iter([Ok(Bytes::from(body))]));
        Box::pin(ready(Ok(HttpResponse { status, headers: headers.into_iter().collect(), body })))
    }
}
