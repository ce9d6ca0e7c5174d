//! A proxy sees neither the key nor a way to it; nobody sees the proxy's password.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::process::Command;
use std::sync::{Arc, Mutex};

use junfeiai::{Client, ErrorKind};
use junfeiai_security::server::Server;
use junfeiai_security::{KEY, PASSWORD, assert_clean, builder, leaks};

/// A proxy that does as it is told, and one that tells lies: it takes the connection and answers itself.
fn proxy(status: u16, said: Arc<Mutex<Vec<u8>>>) -> Server {
    Server::start(move |request, out| {
        if !request.line().starts_with("CONNECT ") {
            out.json(r#"{"id":"task_1","status":"queued"}"#);
        } else if status == 200 {
            out.write(b"HTTP/1.1 200 Connection established\r\n\r\n");
            let hello = out.read();
            said.lock().unwrap().extend(hello);
            out.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
        } else {
            // Some proxies repeat the header in their page.
            let page = String::from_utf8_lossy(&request.bytes).into_owned();
            out.answer(status, &[("Proxy-Authenticate", "Basic")], page.as_bytes());
        }
    })
}

#[tokio::test]
async fn https_goes_through_connect_and_the_proxy_sees_no_key() {
    for status in [200, 407, 403, 502] {
        let said = Arc::new(Mutex::new(Vec::new()));
        let proxy = proxy(status, said.clone());
        let url = format!("http://user:{PASSWORD}@127.0.0.1:{}", proxy.port());
        let client = builder("https://junfeiai.invalid/v1").proxy(url).build().unwrap();
        let error = client.videos().create("a red ball").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
        assert!(!error.maybe_executed(), "no TLS, no request: {error}");
        assert_clean("the error", format!("{error} {error:?} {} {client:?}", error.to_json()));
        let report = client.check().await;
        assert_clean("the check", format!("{report} {report:?} {}", report.to_json()));

        let seen = proxy.seen();
        assert!(!seen.is_empty());
        for seen in seen {
            let text = String::from_utf8_lossy(&seen.bytes).into_owned();
            assert!(text.starts_with("CONNECT junfeiai.invalid:443 "), "{text}");
            // Its own password is for it, and nothing of ours is.
            assert!(text.contains("authorization: Basic") || text.contains("Authorization: Basic"), "{text}");
            assert!(
                !text.contains("Bearer") && !leaks(&seen.bytes).iter().any(|leak| leak.contains("the key")),
                "{text}"
            );
        }
        let said = said.lock().unwrap().clone();
        assert_eq!(!said.is_empty(), status == 200);
        // What goes into the tunnel is TLS from the first byte.
        assert!(said.first().is_none_or(|first| *first == 0x16), "{:?}", String::from_utf8_lossy(&said));
        assert_clean("the tunnel", said);
    }
}

/// Not a test by itself: what the next one runs with proxies in its environment.
#[tokio::test]
#[ignore = "the next test runs it in a process of its own"]
async fn a_program_behind_proxies() {
    let client = Client::builder().api_key(KEY).endpoint(std::env::var("SERVER").unwrap()).build().unwrap();
    println!("created {}", client.videos().create("a red ball").await.unwrap().id());
    let far = Client::builder().api_key(KEY).endpoint("https://junfeiai.invalid/v1").max_attempts(1).build().unwrap();
    let error = far.videos().create("a red ball").await.unwrap_err();
    println!("{error} {error:?} {}", far.check().await);
}

fn run(variables: &[(&str, String)]) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "a_program_behind_proxies", "--ignored", "--nocapture"]);
    for name in
        ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"]
    {
        command.env_remove(name);
    }
    let output = command.envs(variables.iter().map(|(name, value)| (name, value))).output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}");
    text
}

#[test]
fn plain_http_to_this_machine_passes_by_the_proxies_of_the_environment() {
    let home = Server::start(|_, out| out.json(r#"{"id":"task_1","status":"queued"}"#));
    for names in [["http_proxy", "https_proxy"], ["HTTP_PROXY", "HTTPS_PROXY"], ["ALL_PROXY", "all_proxy"]] {
        for host in ["127.0.0.1", "localhost", "[::1]"] {
            let proxy = proxy(502, Arc::default());
            let url = format!("http://user:{PASSWORD}@127.0.0.1:{}", proxy.port());
            let server = format!("http://{host}:{}/v1", home.port());
            let mut variables = names.map(|name| (name, url.clone())).to_vec();
            variables.push(("SERVER", server));
            let text = run(&variables);
            assert!(text.contains("created task_1"), "{text}");
            assert_clean("the program", text);
            // https went through it; what is meant for this machine, with the key in the clear, did not.
            let seen = proxy.seen();
            assert!(!seen.is_empty(), "{names:?}");
            for seen in seen {
                assert!(seen.line().starts_with("CONNECT junfeiai.invalid:443"), "{names:?} {host}: {}", seen.line());
            }
        }
    }
    assert!(home.seen().iter().all(|seen| !leaks(&seen.bytes).is_empty()));
}

#[tokio::test]
async fn an_own_proxy_gets_plain_http_to_this_machine_only_when_it_is_this_machine() {
    let home = Server::start(|_, out| out.json(r#"{"id":"task_1","status":"queued"}"#));
    // To a proxy elsewhere the key would travel in the clear, and 127.0.0.1 would be that machine.
    let far = builder(&format!("{}/v1", home.origin())).proxy("http://proxy.invalid:3128").build().unwrap();
    assert_eq!(far.videos().create("a red ball").await.unwrap().id(), "task_1");
    assert_eq!(home.seen().len(), 1);
    let near = proxy(200, Arc::default());
    let client = builder(&format!("{}/v1", home.origin())).proxy(near.origin()).build().unwrap();
    client.videos().create("a red ball").await.unwrap();
    assert_eq!((home.seen().len(), near.seen().len()), (1, 1));
}

#[test]
fn a_proxy_that_is_no_url_is_refused_without_being_repeated() {
    for bad in [format!("user:{PASSWORD}@"), format!("http://user:{PASSWORD}@:x"), format!("\u{0}{PASSWORD}")] {
        let error = Client::builder().api_key(KEY).proxy(bad).build().unwrap_err();
        assert_eq!(error.record().field.as_deref(), Some("proxy"));
        assert_clean("the refusal", format!("{error} {error:?} {}", error.to_json()));
    }
}
