//! TLS to a database: the same trust as that to the service.

use std::path::Path;
use std::sync::Arc;

use rustls::ClientConfig;
use tokio_rustls::TlsConnector;

use super::super::tls;
use crate::error::Result;
use crate::store::failed;

/// What makes TLS of a connection. `protocol` is its name in ALPN.
pub(super) fn connector(ca_file: Option<&Path>, protocol: Option<&[u8]>) -> Result<TlsConnector> {
    let mut config: ClientConfig =
        tls::client_config(ca_file).map_err(|error| failed(error.record().message.clone()))?;
    config.alpn_protocols = protocol.map(<[u8]>::to_vec).into_iter().collect();
    Ok(Arc::new(config).into())
}

/// What is wrong with the certificate that an error is about, if it is about one.
pub(super) fn refusal(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    let error = tls::error_in(error)?;
    Some(match tls::explained(error) {
        Some(advice) => format!("no secure connection: {error}; {advice}"),
        None => format!("no secure connection: {error}"),
    })
}
