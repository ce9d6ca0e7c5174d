//! What a failed request came to, by the words of the system and of OpenSSL: for a transport that hands on how far the request
//! was and what the engine said, and decides nothing.

use crate::net::transport::Failure;

/// How far a request was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// There is no connection yet: name, address, proxy.
    Connecting,
    /// There is one, and TLS is not agreed on.
    Handshake,
    /// Bytes of the request may have left.
    Sent,
}

/// The code of a connection that took longer than `connect_timeout`.
pub const CONNECT_TIMEOUT: &str = "CONNECT_TIMEOUT";

/// What is wrong with a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateFault {
    /// Its time has passed.
    Expired,
    /// Its time is to come.
    NotYetValid,
    /// It is for another host.
    OtherName,
    /// Nobody that is known signed it.
    UnknownIssuer,
    /// The server shows a CA as its own certificate.
    CaAsServer,
}

impl CertificateFault {
    /// By OpenSSL's name of it.
    pub fn from_code(code: &str) -> Option<Self> {
        Some(match code {
            "CERT_HAS_EXPIRED" => Self::Expired,
            "CERT_NOT_YET_VALID" => Self::NotYetValid,
            "ERR_TLS_CERT_ALTNAME_INVALID" | "HOSTNAME_MISMATCH" => Self::OtherName,
            "DEPTH_ZERO_SELF_SIGNED_CERT"
            | "SELF_SIGNED_CERT_IN_CHAIN"
            | "UNABLE_TO_GET_ISSUER_CERT"
            | "UNABLE_TO_GET_ISSUER_CERT_LOCALLY"
            | "UNABLE_TO_VERIFY_LEAF_SIGNATURE" => Self::UnknownIssuer,
            _ => return None,
        })
    }

    /// What to do about it.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Expired => "the server has to renew it, or this machine's date is wrong",
            Self::NotYetValid => "this machine's date is wrong, or the server's",
            Self::OtherName => "it is for another host: correct the base URL",
            Self::UnknownIssuer => "it is signed by no known CA: give the CA that signed it as ca_file",
            Self::CaAsServer => {
                "the server's own certificate is marked as a CA, so it cannot be trusted by itself: make it with \
                 basicConstraints=CA:FALSE, or sign it with a CA and give that CA as ca_file"
            }
        }
    }
}

/// How far a request got, and a line for people. `call` is the system call that failed, `code` what the system or OpenSSL calls
/// it, `message` what the engine says.
pub fn failure_of(stage: Stage, call: &str, code: &str, message: &str) -> (Failure, String) {
    if stage == Stage::Sent {
        return (Failure::Lost, message.to_owned());
    }
    if code == CONNECT_TIMEOUT {
        return (Failure::Connect, "no connection in time".to_owned());
    }
    if let Some(fault) = CertificateFault::from_code(code) {
        return (Failure::Certificate, format!("{message} ({})", fault.advice()));
    }
    let failure = if call == "getaddrinfo" || matches!(code, "ENOTFOUND" | "EAI_AGAIN") {
        Failure::Dns
    } else if code.starts_with("ERR_SSL_") || code.starts_with("ERR_TLS_") || code == "EPROTO" {
        Failure::Tls
    } else if stage == Stage::Handshake && !code.starts_with('E') {
        // OpenSSL's names of what is wrong with a certificate.
        Failure::Certificate
    } else {
        Failure::Connect
    };
    (failure, message.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn before_anything_left_it_was_not_sent() {
        for (stage, call, code, failure) in [
            (Stage::Connecting, "getaddrinfo", "ENOTFOUND", Failure::Dns),
            (Stage::Connecting, "getaddrinfo", "EAI_AGAIN", Failure::Dns),
            (Stage::Connecting, "connect", "ECONNREFUSED", Failure::Connect),
            (Stage::Connecting, "connect", "ETIMEDOUT", Failure::Connect),
            (Stage::Connecting, "", CONNECT_TIMEOUT, Failure::Connect),
            (Stage::Connecting, "", "", Failure::Connect),
            (Stage::Connecting, "", "CERT_HAS_EXPIRED", Failure::Certificate),
            (Stage::Handshake, "", CONNECT_TIMEOUT, Failure::Connect),
            (Stage::Handshake, "read", "ECONNRESET", Failure::Connect),
            (Stage::Handshake, "", "ERR_SSL_WRONG_VERSION_NUMBER", Failure::Tls),
            (Stage::Handshake, "write", "EPROTO", Failure::Tls),
            (Stage::Handshake, "", "ERR_TLS_CERT_ALTNAME_INVALID", Failure::Certificate),
            (Stage::Handshake, "", "INVALID_PURPOSE", Failure::Certificate),
        ] {
            assert_eq!(failure_of(stage, call, code, "x").0, failure, "{stage:?} {call} {code}");
            assert!(failure.not_sent());
        }
    }

    #[test]
    fn after_the_first_byte_nobody_knows() {
        for code in ["ECONNRESET", "EPIPE", "ECONNREFUSED", "ENOTFOUND", "CERT_HAS_EXPIRED", CONNECT_TIMEOUT, ""] {
            assert_eq!(failure_of(Stage::Sent, "connect", code, "x").0, Failure::Lost, "{code}");
        }
    }

    #[test]
    fn a_certificate_says_what_to_do() {
        for (code, advice) in [
            ("CERT_HAS_EXPIRED", "renew it"),
            ("CERT_NOT_YET_VALID", "date is wrong"),
            ("ERR_TLS_CERT_ALTNAME_INVALID", "correct the base URL"),
            ("SELF_SIGNED_CERT_IN_CHAIN", "as ca_file"),
        ] {
            let (failure, text) = failure_of(Stage::Handshake, "", code, "why");
            assert_eq!(failure, Failure::Certificate);
            assert!(text.starts_with("why (") && text.contains(advice), "{text}");
        }
    }
}
