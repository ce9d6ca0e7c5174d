//! The key goes to the hosts on the list and to no other, however a host is written.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::{Arc, Mutex};

use junfeiai::transport::{HttpRequest, Method};
use junfeiai::{Client, ErrorKind};
use junfeiai_security::net::{Answer, Net};
use junfeiai_security::server::Server;
use junfeiai_security::{KEY, PASSWORD, builder, emulator, keys_at_second, leaks};
use serde_json::json;

fn mp4() -> Vec<u8> {
    let emulator = emulator(&json!({}));
    let id = emulator.add_task(junfeiai_emulator::TaskSpec::default());
    emulator.video_bytes(&id).unwrap().to_vec()
}

fn succeeded(result_url: &str) -> String {
    json!({ "code": "success", "data": { "task_id": "task_1", "status": "SUCCESS", "result_url": result_url } })
        .to_string()
}

/// A service at the documented entry that names this place for its result; whoever else is asked has the file, too.
fn service(result_url: &str, redirect: Option<(&'static str, &str)>) -> Arc<Net> {
    let (answer, file) = (succeeded(result_url), mp4());
    let redirect = redirect.map(|(from, to)| (from, to.to_owned()));
    Net::new(move |request: &HttpRequest| -> Answer {
        let url = request.url.to_string();
        if url.contains("/video/generations/") {
            return (200, vec![("Content-Type", "application/json".to_owned())], answer.clone().into_bytes());
        }
        match &redirect {
            Some((from, to)) if url == *from => (302, vec![("Location", to.clone())], Vec::new()),
            _ => (200, vec![("Content-Type", "video/mp4".to_owned())], file.clone()),
        }
    })
}

fn client(net: &Arc<Net>) -> Client {
    Client::builder()
        .api_key(KEY)
        .header("X-Gateway", PASSWORD)
        .endpoint("standard")
        .transport(net.clone())
        .build()
        .unwrap()
}

const OURS: &str = "https://junfeiai.com/v1/videos/task_1/content";

/// Everything that a careless reader takes for a listed host. (In a URL: `@`, dots, cases, ports, look-alikes, IPs.)
const LOOK_ALIKES: [&str; 27] = [
    "https://junfeiai.com.evil.example/v.mp4",
    "https://evil.example/https://junfeiai.com/v.mp4",
    "https://evil.example/?junfeiai.com",
    "https://evil.example#junfeiai.com",
    "https://junfeiai.com@evil.example/v.mp4",
    "https://junfeiai.com:443@evil.example/v.mp4",
    "https://user:junfeiai.com@evil.example/v.mp4",
    "https://evil.example\\@junfeiai.com/v.mp4",
    "https://junfeiai.com\\@evil.example/v.mp4",
    "https://junfeiai.com%2eevil.example/v.mp4",
    "https://junfeiai.com%00.evil.example/v.mp4",
    "https://junfeiai.com./v.mp4",
    "https://junfeiai.com:444/v.mp4",
    "https://junfeiai.com:8443/v.mp4",
    "http://junfeiai.com/v.mp4",
    "http://junfeiai.com:443/v.mp4",
    "https://www.junfeiai.com/v.mp4",
    "https://doc.junfeiai.com/v.mp4",
    "https://api.junfeiai.com/v.mp4",
    "https://junfeia1.com/v.mp4",
    "https://junfei\u{430}i.com/v.mp4",
    "https://xn--junfeii-6fg.com/v.mp4",
    "https://junfeiai\u{3002}com/v.mp4",
    "https://\u{ff4a}unfeiai.com/v.mp4",
    "https://video.junfeiai.hk-proxy.lingzhiwuxian.com.evil.example/v.mp4",
    "https://93.184.216.34/v.mp4",
    "https://[2606:2800:220:1:248:1893:25c8:1946]/v.mp4",
];

#[tokio::test]
async fn names_that_only_look_like_ours_get_no_key() {
    for place in LOOK_ALIKES {
        let net = service(place, None);
        client(&net).videos().task("task_1").unwrap().wait().await.unwrap().bytes().await.unwrap();
        for asked in net.asked() {
            let listed = asked.what.starts_with("GET https://junfeiai.com/v1/");
            assert_eq!((asked.key, asked.headers), (listed, listed), "{place}: {asked:?}");
        }
    }
}

#[tokio::test]
async fn a_redirect_to_a_look_alike_gets_no_key() {
    for place in LOOK_ALIKES {
        let net = service(OURS, Some((OURS, place)));
        // Some of these are no URLs at all: then there is an error instead of a file.
        let _ = client(&net).videos().task("task_1").unwrap().wait().await.unwrap().bytes().await;
        let asked = net.asked();
        assert!(asked.iter().any(|asked| asked.key && asked.what == format!("GET {OURS}")), "{place}: {asked:?}");
        for asked in asked {
            let listed = asked.what.starts_with("GET https://junfeiai.com/v1/");
            assert_eq!((asked.key, asked.headers), (listed, listed), "{place}: {asked:?}");
        }
    }
}

#[tokio::test]
async fn listed_names_get_it_however_they_are_written() {
    for place in [
        "https://JunFeiAI.com/v.mp4",
        "https://junfeiai.com:443/v.mp4",
        "https://video.junfeiai.hk-proxy.lingzhiwuxian.com/v.mp4",
        "https://junfeiai.hk-proxy.lingzhiwuxian.com/v.mp4",
    ] {
        let net = service(place, None);
        client(&net).videos().task("task_1").unwrap().wait().await.unwrap().bytes().await.unwrap();
        assert!(net.asked().iter().all(|asked| asked.key && asked.headers), "{place}: {:?}", net.asked());
    }
}

#[tokio::test]
async fn no_redirect_leads_from_https_to_plain_http() {
    for place in ["http://junfeiai.com/v.mp4", "http://127.0.0.1/v.mp4", "http://evil.example/v.mp4"] {
        let net = service(OURS, Some((OURS, place)));
        let error = client(&net).videos().video("task_1").unwrap().bytes().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedResponse, "{place}: {error}");
        assert!(net.asked().iter().all(|asked| !asked.what.contains(" http:")), "{:?}", net.asked());
    }
}

#[tokio::test]
async fn a_redirect_that_comes_back_gets_the_key_at_home_only() {
    let file = mp4();
    let net = Net::new(move |request: &HttpRequest| -> Answer {
        let to = |place: &str| (302, vec![("Location", place.to_owned())], Vec::new());
        match request.url.to_string().as_str() {
            "https://junfeiai.com/v1/a" => to("https://cdn.example/b"),
            "https://cdn.example/b" => to("//junfeiai.com/v1/c"),
            "https://junfeiai.com/v1/c" => to("https://junfeiai.com:8443/d"),
            _ => (200, Vec::new(), file.clone()),
        }
    });
    client(&net).videos().video_at("https://junfeiai.com/v1/a").unwrap().bytes().await.unwrap();
    let sent: Vec<(bool, bool)> = net.asked().iter().map(|asked| (asked.key, asked.headers)).collect();
    assert_eq!(sent, [(true, true), (false, false), (true, true), (false, false)], "{:?}", net.asked());
}

#[tokio::test]
async fn plain_http_is_for_this_machine_only() {
    for entry in
        ["http://junfeiai.com/v1", "http://192.168.0.1/v1", "http://localhost.evil.example/v1", "http://10.0.0.1/v1"]
    {
        let built = |client: junfeiai::ClientBuilder| client.build().unwrap_err().kind();
        assert_eq!(built(Client::builder().api_key(KEY).endpoint(entry)), ErrorKind::Config, "{entry}");
        assert_eq!(
            built(Client::builder().api_key(KEY).video_base_url(entry.trim_end_matches("/v1"))),
            ErrorKind::Config
        );
        assert_eq!(built(Client::builder().api_key(KEY).trust_host(entry)), ErrorKind::Config, "{entry}");
    }
    // A host that is trusted by name is trusted with https.
    let place = "http://files.example/v.mp4";
    let net = service(place, None);
    let client = Client::builder().api_key(KEY).endpoint("standard").trust_host("files.example").transport(net.clone());
    client.build().unwrap().videos().task("task_1").unwrap().wait().await.unwrap().bytes().await.unwrap();
    assert!(net.asked().iter().any(|asked| asked.what.contains(place) && !asked.key), "{:?}", net.asked());
}

/// Two servers on this machine; the second is on no list, and every way to write it leads there.
#[tokio::test]
async fn another_port_of_this_machine_gets_no_key_however_it_is_written() {
    let file = mp4();
    let place = Arc::new(Mutex::new(String::new()));
    let other_file = file.clone();
    let other = Server::start(move |_, out| out.answer(200, &[("Content-Type", "video/mp4")], &other_file));
    let at = place.clone();
    let home = Server::start(move |request, out| match request.path().as_str() {
        "/v1/video/generations/task_1" => out.json(&succeeded(&at.lock().unwrap())),
        "/v1/redirect" => out.answer(302, &[("Location", &at.lock().unwrap())], b""),
        _ => out.answer(200, &[("Content-Type", "video/mp4")], &file),
    });
    let (port, own) = (other.port(), home.port());
    let writings = [
        format!("http://127.0.0.1:{port}/v"),
        format!("http://localhost:{port}/v"),
        format!("http://[::1]:{port}/v"),
        format!("http://[::ffff:127.0.0.1]:{port}/v"),
        format!("http://127.1:{port}/v"),
        format!("http://2130706433:{port}/v"),
        format!("http://0x7f.0.0.1:{port}/v"),
        format!("http://0177.0.0.1:{port}/v"),
        format!("http://127.0.0.1.:{port}/v"),
        format!("http://localhost.:{port}/v"),
        format!("http://LOCALHOST:{port}/v"),
        format!("http://127\u{3002}0\u{3002}0\u{3002}1:{port}/v"),
        format!("http://\u{ff11}\u{ff12}\u{ff17}.0.0.1:{port}/v"),
        format!("http://%31%32%37.0.0.1:{port}/v"),
        format!("http://127.0.0.1:{own}@127.0.0.1:{port}/v"),
        format!("http://127.0.0.1:{own}\\@127.0.0.1:{port}/v"),
        format!("http://127.0.0.1:{port}#@127.0.0.1:{own}/v"),
        format!("http://127.0.0.1:{port}?@127.0.0.1:{own}/v"),
        format!("//127.0.0.1:{port}/v"),
        format!("///127.0.0.1:{port}/v"),
        format!("\\\\127.0.0.1:{port}/v"),
        format!("http:/127.0.0.1:{port}/v"),
        format!("http:127.0.0.1:{port}/v"),
        format!("HTTP://127.0.0.1:{port}/v"),
        format!("ht\ttp://127.0.0.1:{port}/v"),
        format!("http://127.0.0.1:0{port}/v"),
        format!(" http://127.0.0.1:{port}/v"),
        "file:///etc/passwd".to_owned(),
        "javascript:alert(1)".to_owned(),
        "data:video/mp4;base64,AAAA".to_owned(),
    ];
    let client = builder(&format!("{}/v1", home.origin())).build().unwrap();
    for writing in &writings {
        place.lock().unwrap().clone_from(writing);
        let video = client.videos().task("task_1").unwrap().wait().await.unwrap();
        video.bytes().await.unwrap();
        // Where this leads nowhere it is tried again: then the first time is over, which is what counts.
        let before = home.seen().len();
        let redirected = client.videos().video_at(&format!("{}/v1/redirect", home.origin())).unwrap();
        let again = async {
            while home.seen().len() < before + 2 {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            _ = redirected.bytes() => {}
            () = again => {}
        }
    }
    assert!(other.seen().len() >= 8, "the other server was asked only {} times", other.seen().len());
    for seen in other.seen() {
        assert!(leaks(&seen.bytes).is_empty(), "{}", String::from_utf8_lossy(&seen.bytes));
        assert!(!String::from_utf8_lossy(&seen.bytes).to_ascii_lowercase().contains("authorization"));
    }
    assert!(home.seen().iter().all(|seen| !leaks(&seen.bytes).is_empty()), "home was asked without the key");
}

#[tokio::test]
async fn a_paid_create_and_its_key_follow_no_redirect() {
    for status in [301, 302, 303, 307, 308] {
        let other = Server::start(|_, out| out.json(r#"{"id":"task_1"}"#));
        let to = format!("{}/v1/video/generations", other.origin());
        let home = Server::start(move |_, out| out.answer(status, &[("Location", &to)], b""));
        let client = builder(&format!("{}/v1", home.origin())).build().unwrap();
        let error = client.videos().create("a red ball").await.unwrap_err();
        // "See other" says that the request was carried out.
        let kind = if status == 303 { ErrorKind::CreateOutcomeUnknown } else { ErrorKind::UnexpectedResponse };
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!((home.seen().len(), other.seen().len()), (1, 0));
    }
}

#[tokio::test]
async fn only_reads_of_a_video_go_to_unlisted_hosts_at_all() {
    let net = Net::new(|request: &HttpRequest| match request.method {
        Method::Post => (200, Vec::new(), Vec::new()),
        Method::Get => (302, vec![("Location", "https://evil.example/x".to_owned())], Vec::new()),
    });
    let client = client(&net);
    assert_eq!(client.videos().get("task_1").await.unwrap_err().kind(), ErrorKind::UntrustedHost);
    assert!(client.models().await.is_err() && client.balance().await.is_err());
    let report = client.check().await;
    assert!(!report.ok, "{report}");
    assert!(net.asked().iter().all(|asked| !asked.what.contains("evil")), "{:?}", net.asked());
}

#[tokio::test]
async fn the_emulators_second_host_never_sees_the_key() {
    let emulator = emulator(&json!({ "task": { "result_url": "second_host_with_redirect" } }));
    let client = builder(&emulator.base_url()).build().unwrap();
    let task = client.videos().create("a red ball").await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    task.wait().await.unwrap().save(folder.path().join("v.mp4")).connections(4).await.unwrap();
    let keys = keys_at_second(&emulator);
    assert!(!keys.is_empty() && keys.iter().all(|key| *key == junfeiai_emulator::KeySeen::None), "{keys:?}");
}

const VIDEO: &str = "https://video.junfeiai.hk-proxy.lingzhiwuxian.com";

/// Entries whose text begins like a documented one, or like which a documented one begins. None of them is documented, so
/// that the documented hosts do not get what may be the key of somebody else's proxy.
#[tokio::test]
async fn the_key_of_another_entry_stays_away_from_the_documented_ones() {
    for entry in [
        "https://junfeiai.co",
        "https://junfeiai.c/v1",
        "https://junfeiai",
        "https://j/v1",
        "https://junfeiai.com.evil",
        "https://junfeiai.com.evil/v1",
        "https://junfeiai.com:444",
        "https://junfeiai.com:44",
        "https://junfeiai.com:4430/v1",
        "https://junfeiai.com./v1",
        "https://JUNFEIAI.CO/v1",
        "https://www.junfeiai.com/v1",
        "https://ajunfeiai.com/v1",
        "https://junfeiai.hk-proxy.lingzhiwuxian.co/v1",
        "https://junfeiai.hk/v1",
        "https://junfeiai.hk-proxy.lingzhiwuxian.com:8443/v1",
        "https://junfeiai.hk-proxy.lingzhiwuxian.com./v1",
    ] {
        for place in ["https://junfeiai.com/v.mp4", "https://junfeiai.hk-proxy.lingzhiwuxian.com/v.mp4"] {
            let net = service(place, None);
            let client = Client::builder().api_key(KEY).endpoint(entry).transport(net.clone()).build().unwrap();
            assert!(!client.endpoint().is_documented(), "{entry}");
            client.videos().task("task_1").unwrap().wait().await.unwrap().bytes().await.unwrap();
            for asked in net.asked() {
                assert_eq!(asked.key, asked.what != format!("GET {place}"), "{entry}: {asked:?}");
            }
            assert!(net.asked().iter().any(|asked| !asked.key), "{entry} {place}");
        }
    }
}

#[tokio::test]
async fn the_documented_entries_are_known_however_they_are_written() {
    for entry in
        ["https://JUNFEIAI.com/v1", "https://junfeiai.com:443", "https://Junfeiai.HK-proxy.lingzhiwuxian.com/v1/"]
    {
        let client = Client::builder().api_key(KEY).endpoint(entry).build().unwrap();
        assert!(client.endpoint().is_documented(), "{entry}");
    }
    // User info is refused, and what it holds is not repeated.
    for entry in ["https://sk-secret-in-a-url@junfeiai.com/v1", "https://user:sk-secret-in-a-url@junfeiai.com/v1"] {
        let error = Client::builder().api_key(KEY).endpoint(entry).build().unwrap_err();
        assert!(error.kind() == ErrorKind::Config && !error.to_string().contains("secret"), "{error}");
    }
}

#[tokio::test]
async fn only_the_documented_video_host_is_replaced_by_ones_own() {
    for (place, own) in [
        (format!("{VIDEO}/v.mp4"), true),
        (format!("{VIDEO}:443/v.mp4"), true),
        (format!("{VIDEO}:444/v.mp4"), false),
        (format!("{VIDEO}./v.mp4"), false),
        (format!("{VIDEO}.evil.example/v.mp4"), false),
        (VIDEO.replace("https", "http") + "/v.mp4", false),
    ] {
        let net = service(&place, None);
        let client = Client::builder().api_key(KEY).endpoint("standard").video_base_url("https://own.example");
        let client = client.transport(net.clone()).build().unwrap();
        client.videos().task("task_1").unwrap().wait().await.unwrap().bytes().await.unwrap();
        let moved = net.asked().iter().any(|asked| asked.key && asked.what == "GET https://own.example/v.mp4");
        assert_eq!(moved, own, "{place}: {:?}", net.asked());
        assert!(own || net.asked().iter().all(|asked| !asked.key || !asked.what.ends_with("/v.mp4")), "{place}");
    }
}

/// What we take for a host name and the HTTP stack does not: an error when the client is built, and not a request that
/// cannot be made.
#[test]
fn an_entry_that_the_http_stack_does_not_take_is_refused() {
    for (entry, video, name) in [
        ("https://xn--a.example/v1", None, "endpoint"),
        ("https://[::ffff:10.0.0.1]/v1", None, "endpoint"),
        ("standard", Some("https://xn--a.example"), "video_base_url"),
    ] {
        let mut builder = Client::builder().api_key(KEY).endpoint(entry);
        if let Some(video) = video {
            builder = builder.video_base_url(video);
        }
        let error = builder.build().unwrap_err();
        assert_eq!((error.kind(), error.record().field.as_deref()), (ErrorKind::Config, Some(name)), "{error}");
    }
}
