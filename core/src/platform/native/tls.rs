//! Whom we believe to be the server.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls::{CertificateError, ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::error::{Error, Result};
use crate::protocol::connect_failure::CertificateFault;

/// TLS that trusts whom the system trusts (`SSL_CERT_FILE` and `SSL_CERT_DIR` are obeyed), Mozilla's roots where the system
/// has none (bare containers), and the certificates of `ca_file` besides.
pub(super) fn client_config(ca_file: Option<&Path>) -> Result<ClientConfig> {
    let extra = ca_file.map(certificates_of).transpose()?.unwrap_or_default();
    let builder = builder()?;
    let mut config = match platform_verifier(&builder, &extra) {
        Some(verifier) => builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth(),
        None => builder.with_root_certificates(roots(extra)).with_no_client_auth(),
    };
    // HTTP/2 was measured slower for large bodies, and one connection a part is what the download engine wants.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn builder() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::config("ca_file", format!("TLS cannot be set up: {error}")))
}

/// The system's own judgement of certificates. Windows loads roots from the network when they are needed, so a list of those
/// that it has is not whom it trusts; macOS keeps what its user said of a certificate. `None` where the roots are in files, which
/// `SSL_CERT_FILE` and `SSL_CERT_DIR` name, too.
#[cfg(any(windows, target_vendor = "apple"))]
fn platform_verifier(
    builder: &ConfigBuilder<ClientConfig, WantsVerifier>,
    extra: &[CertificateDer<'static>],
) -> Option<Arc<dyn ServerCertVerifier>> {
    if ["SSL_CERT_FILE", "SSL_CERT_DIR"].iter().any(|name| std::env::var_os(name).is_some()) {
        return None;
    }
    let provider = builder.crypto_provider().clone();
    match rustls_platform_verifier::Verifier::new_with_extra_roots(extra.iter().cloned(), provider) {
        Ok(verifier) => Some(Arc::new(verifier)),
        Err(error) => {
            tracing::warn!(%error, "the system cannot judge certificates: its list of roots is used instead");
            None
        }
    }
}

#[cfg(not(any(windows, target_vendor = "apple")))]
fn platform_verifier(
    _: &ConfigBuilder<ClientConfig, WantsVerifier>,
    _: &[CertificateDer<'static>],
) -> Option<Arc<dyn ServerCertVerifier>> {
    None
}

fn roots(extra: Vec<CertificateDer<'static>>) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots.add_parsable_certificates(extra);
    roots
}

fn certificates_of(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let refuse =
        |why: String| Error::config("ca_file", format!("the CA file {} cannot be used: {why}", path.display()));
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| refuse(error.to_string()))?;
    let found: Vec<_> =
        certificates.collect::<std::result::Result<_, _>>().map_err(|error| refuse(error.to_string()))?;
    // Judged here, where the file can be named; the system's verifier would pass over what it cannot read.
    let mut readable = RootCertStore::empty();
    for certificate in &found {
        readable.add(certificate.clone()).map_err(|error| refuse(error.to_string()))?;
    }
    if found.is_empty() { Err(refuse("it holds no PEM certificate".to_owned())) } else { Ok(found) }
}

/// TLS that trusts nobody, for a client that sends plain http only.
pub(super) fn no_roots() -> Result<ClientConfig> {
    Ok(builder()?.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

/// The TLS error in an error, however deep: IO errors hide what they wrap from `source`, and wrap each other.
pub(super) fn error_in<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    let mut cause = Some(error);
    while let Some(inner) = cause {
        if let Some(found) = inner.downcast_ref() {
            return Some(found);
        }
        let wrapped = inner.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        cause = wrapped.map_or_else(|| inner.source(), |wrapped| Some(wrapped));
    }
    None
}

/// What is wrong with a certificate, and what to do about it.
pub(super) fn explained(error: &rustls::Error) -> Option<&'static str> {
    let rustls::Error::InvalidCertificate(why) = error else { return None };
    let fault = match why {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => CertificateFault::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => CertificateFault::NotYetValid,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            CertificateFault::OtherName
        }
        CertificateError::UnknownIssuer => CertificateFault::UnknownIssuer,
        // The type of it is a private dependency's.
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            CertificateFault::CaAsServer
        }
        _ => return None,
    };
    Some(fault.advice())
}
