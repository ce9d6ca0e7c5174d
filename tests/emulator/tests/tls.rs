//! TLS: what is shown, and what goes wrong with it.

mod common;

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    sync::Arc,
    time::{Duration, Instant},
};

use common::content_path;
use junfeiai_emulator::{Emulator, TaskSpec};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, ClientConnection, Error, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};

fn secure(scenario: &str) -> Emulator {
    let emulator = Emulator::builder().time_scale(1_000.0).tls(true).start().unwrap();
    emulator.set_scenario_json(scenario).unwrap();
    emulator
}

/// What came before the end, and how it ended.
struct Said {
    bytes: Vec<u8>,
    end: Option<ErrorKind>,
    alpn: Option<Vec<u8>>,
}

/// One request over TLS, as a client that trusts the emulator's CA and offers these protocols.
fn ask(emulator: &Emulator, host: &'static str, alpn: &[&str], path: &str) -> Result<Said, Error> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(emulator.ca_pem().unwrap().as_bytes()).unwrap()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let connection = ClientConnection::new(Arc::new(config), ServerName::try_from(host).unwrap()).unwrap();
    let tcp = TcpStream::connect(("127.0.0.1", emulator.port())).unwrap();
    tcp.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut stream = StreamOwned::new(connection, tcp);
    let head =
        format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer sk-test\r\nconnection: close\r\n\r\n");
    let mut said = Said { bytes: Vec::new(), end: None, alpn: None };
    let done = stream.write_all(head.as_bytes()).and_then(|()| stream.read_to_end(&mut said.bytes));
    said.alpn = stream.conn.alpn_protocol().map(<[u8]>::to_vec);
    if let Err(error) = done {
        if let Some(inner) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
            return Err(inner.clone());
        }
        said.end = Some(error.kind());
    }
    Ok(said)
}

fn models(emulator: &Emulator) -> Result<Said, Error> {
    ask(emulator, "127.0.0.1", &["http/1.1"], "/v1/models")
}

#[test]
fn the_ca_made_at_the_start_is_enough() {
    let emulator = secure("{}");
    assert!(emulator.origin().starts_with("https://127.0.0.1:") && emulator.base_url().ends_with("/v1"));
    for host in ["127.0.0.1", "localhost"] {
        let said = ask(&emulator, host, &[], "/v1/models").unwrap();
        assert!(said.bytes.starts_with(b"HTTP/1.1 200 OK") && said.end.is_none(), "{host}");
    }
    let id = emulator.add_task(TaskSpec::with_video_bytes(300_000));
    let file = ask(&emulator, "localhost", &[], &content_path(&id)).unwrap().bytes;
    assert!(file.ends_with(&emulator.video_bytes(&id).unwrap()));
    // Every address that it shows is one of TLS.
    let shown = ask(&emulator, "localhost", &[], &format!("/v1/video/generations/{id}")).unwrap().bytes;
    let url = format!("{}/videos/{id}/content", emulator.base_url());
    assert!(String::from_utf8(shown).unwrap().contains(&url));
}

#[test]
fn without_tls_only_the_emulators_own_paths_are_served() {
    let emulator = secure(r#"{"tls":{"certificate":"expired"}}"#);
    let refused = common::get(&emulator, "/v1/models");
    assert_eq!((refused.status, refused.text().contains("HTTPS server")), (400, true));
    assert_eq!(common::get(&emulator, "/__emulator/requests").json().as_array().unwrap().len(), 0);
    assert_eq!(common::get(&emulator, "/__emulator/ca").text(), emulator.ca_pem().unwrap());
    let plain = common::emulator("{}");
    assert_eq!((plain.ca_pem(), common::get(&plain, "/__emulator/ca").status), (None, 404));
}

#[test]
fn certificates_that_nobody_should_believe() {
    let error = |certificate: &str| {
        let emulator = secure(&format!(r#"{{"tls":{{"certificate":"{certificate}"}}}}"#));
        let error = models(&emulator).err();
        assert_eq!(emulator.requests().len(), 0, "{certificate}: nothing was sent");
        error
    };
    assert!(matches!(
        error("expired"),
        Some(Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }))
    ));
    assert!(matches!(
        error("wrong_name"),
        Some(Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
        ))
    ));
    // Its own certificate, given as the CA: the mark of a CA is what is wrong with it.
    let own = error("self_signed");
    assert!(
        matches!(&own, Some(Error::InvalidCertificate(CertificateError::Other(other))) if other.to_string().contains("CaUsedAsEndEntity")),
        "{own:?}"
    );
}

#[test]
fn handshakes_that_fail_or_take_their_time() {
    let emulator = secure(r#"{"tls":{"failures":2}}"#);
    for _ in 0..2 {
        assert!(models(&emulator).unwrap().end.is_some());
    }
    assert!(models(&emulator).unwrap().end.is_none());
    assert_eq!(emulator.requests().len(), 1);
    emulator.set_scenario_json(r#"{"tls":{"handshake_ms":300}}"#).unwrap();
    let begun = Instant::now();
    assert!(models(&emulator).unwrap().end.is_none() && begun.elapsed() >= Duration::from_millis(300));
}

#[test]
fn ends_with_and_without_a_notice() {
    for (notice, end) in [(true, None), (false, Some(ErrorKind::UnexpectedEof))] {
        let emulator = secure(&format!(
            r#"{{"tls":{{"close_notify":{notice}}},"rules":[{{"match":{{"path_contains":"token"}},"fault":{{"kind":"until_close"}}}}]}}"#
        ));
        let said = models(&emulator).unwrap();
        assert!(
            said.end == end && said.bytes.starts_with(b"HTTP/1.1 200 OK") && said.bytes.ends_with(b"}"),
            "{notice}"
        );
        let bare = ask(&emulator, "localhost", &[], "/api/usage/token/").unwrap();
        let text = String::from_utf8(bare.bytes).unwrap().to_ascii_lowercase();
        assert!(bare.end == end && text.ends_with('}'), "{notice}: {text}");
        assert!(!text.contains("content-length") && !text.contains("transfer-encoding"), "{text}");
    }
}

#[test]
fn answers_that_break_off() {
    for rst in [false, true] {
        let fault = format!(r#"{{"kind":"cut_body","after_bytes":60000,"rst":{rst}}}"#);
        let emulator = secure(&format!(r#"{{"rules":[{{"match":{{"op":"content"}},"fault":{fault}}}]}}"#));
        let id = emulator.add_task(TaskSpec::with_video_bytes(300_000));
        let said = ask(&emulator, "localhost", &[], &content_path(&id)).unwrap();
        // TLS tells a stream that broke off from one that ended; whether the sockets below report the reset, too, is up to the system.
        let known: &[ErrorKind] = match rst {
            false => &[ErrorKind::UnexpectedEof],
            true if cfg!(unix) => &[ErrorKind::ConnectionReset],
            true => &[ErrorKind::ConnectionReset, ErrorKind::UnexpectedEof],
        };
        assert!(said.end.is_some_and(|end| known.contains(&end)), "{rst}: {:?}", said.end);
        assert!(said.bytes.len() < 62_000, "{}", said.bytes.len());
    }
}

#[test]
fn protocols_that_are_offered() {
    let emulator = secure(r#"{"tls":{"alpn":["h2","http/1.1"]}}"#);
    let taken = |alpn: &[&str]| ask(&emulator, "localhost", alpn, "/v1/models");
    let said = taken(&["http/1.1"]).unwrap();
    assert!(said.alpn.as_deref() == Some(b"http/1.1") && said.bytes.starts_with(b"HTTP/1.1 200"));
    // Who takes it is let down: HTTP/2 is not spoken.
    let said = taken(&["h2", "http/1.1"]).unwrap();
    assert!(said.alpn.as_deref() == Some(b"h2") && said.bytes.is_empty() && said.end.is_some());
    emulator.set_scenario_json(r#"{"tls":{"alpn":["h2"]}}"#).unwrap();
    assert!(matches!(taken(&["http/1.1"]), Err(Error::AlertReceived(AlertDescription::NoApplicationProtocol))));
    emulator.set_scenario_json(r#"{"tls":{"alpn":[]}}"#).unwrap();
    assert_eq!(taken(&["h2", "http/1.1"]).unwrap().alpn, None);
}
