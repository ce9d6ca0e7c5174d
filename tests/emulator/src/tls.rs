//! TLS: certificates made at the start, and what may be wrong with them.

use std::{error::Error, io, net::IpAddr, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};
use serde::{Deserialize, Serialize};

/// How connections are secured, where the emulator was started with TLS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsPlan {
    /// Which certificate is shown.
    pub certificate: Certificate,
    /// Protocols that are offered, the preferred one first; the emulator itself speaks HTTP/1.1 only.
    pub alpn: Vec<String>,
    /// Connections end with the notice that TLS asks for. Without it an end looks like a cut to whoever is strict.
    pub close_notify: bool,
    /// Real milliseconds before a handshake is answered.
    pub handshake_ms: u64,
    /// So many handshakes end in a reset, from the setting of the scenario on.
    pub failures: u32,
}

impl Default for TlsPlan {
    fn default() -> Self {
        Self {
            certificate: Certificate::Valid,
            alpn: vec!["http/1.1".into()],
            close_notify: true,
            handshake_ms: 0,
            failures: 0,
        }
    }
}

/// A certificate of the server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Certificate {
    /// Of the emulator's own CA, for `localhost`, `127.0.0.1`, `::1` and the address that it listens at.
    #[default]
    Valid,
    /// The same, past its date.
    Expired,
    /// Of the same CA, for another name.
    WrongName,
    /// Signed by itself and marked as a CA, as `openssl req -x509` makes one.
    SelfSigned,
}

/// Everything that can be shown, made at the start.
#[derive(Debug)]
pub(crate) struct Certificates {
    ca_pem: String,
    valid: Identity,
    expired: Identity,
    wrong_name: Identity,
    self_signed: Identity,
}

#[derive(Debug)]
struct Identity {
    pem: String,
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    fn new(certificate: &rcgen::Certificate, key: &KeyPair) -> Self {
        Self {
            pem: certificate.pem(),
            certificate: certificate.der().clone(),
            key: PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        }
    }
}

fn named(name: &str, hosts: &[&str]) -> Result<CertificateParams, rcgen::Error> {
    let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
    let mut params = CertificateParams::new(hosts)?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2099, 1, 1);
    Ok(params)
}

impl Certificates {
    /// For this machine's own names, and the address that is listened at.
    pub(crate) fn new(host: IpAddr) -> io::Result<Self> {
        Self::make(&host.to_string()).map_err(io::Error::other)
    }

    fn make(host: &str) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let here = ["localhost", "127.0.0.1", "::1", host];
        let mut ca = named("junfeiai-emulator CA", &[])?;
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let ca_key = KeyPair::generate()?;
        let ca_pem = ca.self_signed(&ca_key)?.pem();
        let issuer = Issuer::new(ca, ca_key);
        let leaf = |name: &str, hosts: &[&str], until: i32| -> Result<Identity, rcgen::Error> {
            let mut params = named(name, hosts)?;
            params.not_after = date_time_ymd(until, 1, 1);
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
            params.use_authority_key_identifier_extension = true;
            let key = KeyPair::generate()?;
            Ok(Identity::new(&params.signed_by(&key, &issuer)?, &key))
        };
        let mut own = named("junfeiai-emulator by itself", &here)?;
        own.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let own_key = KeyPair::generate()?;
        Ok(Self {
            ca_pem,
            valid: leaf("junfeiai-emulator", &here, 2099)?,
            expired: leaf("junfeiai-emulator, expired", &here, 2021)?,
            wrong_name: leaf("junfeiai-emulator, elsewhere", &["elsewhere.example"], 2099)?,
            self_signed: Identity::new(&own.self_signed(&own_key)?, &own_key),
        })
    }

    fn identity(&self, which: Certificate) -> &Identity {
        match which {
            Certificate::Valid => &self.valid,
            Certificate::Expired => &self.expired,
            Certificate::WrongName => &self.wrong_name,
            Certificate::SelfSigned => &self.self_signed,
        }
    }

    /// What a user would give as the CA of a server with this certificate.
    pub(crate) fn ca_pem(&self, which: Certificate) -> &str {
        if which == Certificate::SelfSigned { &self.self_signed.pem } else { &self.ca_pem }
    }

    /// The server's side of one handshake.
    pub(crate) fn config(&self, plan: &TlsPlan) -> Result<ServerConfig, rustls::Error> {
        let identity = self.identity(plan.certificate);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![identity.certificate.clone()], identity.key.clone_key())?;
        config.alpn_protocols = plan.alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        Ok(config)
    }
}
