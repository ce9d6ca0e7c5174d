//! Calls over https, as far as it is not the same as over http: certificates, handshakes, and ends without a notice.

use std::time::Duration;

use junfeiai::{Client, ErrorKind, StepStatus, VideoRequest};
use junfeiai_emulator::{Emulator, TaskSpec};

struct Case {
    emulator: Emulator,
    client: Client,
    _folder: tempfile::TempDir,
}

/// A client that trusts what a user would take for the CA of this emulator.
fn case(scenario: &str) -> Case {
    let emulator = Emulator::builder().api_key("sk-test").time_scale(1_000.0).tls(true).start().unwrap();
    emulator.set_scenario_json(scenario).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    std::fs::write(&path, emulator.ca_pem().unwrap()).unwrap();
    let client = Client::builder()
        .api_key("sk-test")
        .endpoint(emulator.base_url())
        .ca_file(path)
        .poll_interval(Duration::from_millis(20))
        .max_attempts(2)
        .build()
        .unwrap();
    Case { emulator, client, _folder: folder }
}

fn wish() -> VideoRequest {
    VideoRequest::new("a red ball").seconds(6)
}

#[tokio::test]
async fn a_certificate_that_is_not_believed_says_what_to_do() {
    for (certificate, advice) in [
        ("expired", "the server has to renew it, or this machine's date is wrong"),
        ("wrong_name", "it is for another host: correct the base URL"),
        ("self_signed", "basicConstraints=CA:FALSE"),
    ] {
        let case = case(&format!(r#"{{"tls":{{"certificate":"{certificate}"}}}}"#));
        let error = case.client.videos().create(wish()).await.unwrap_err();
        assert_eq!((error.kind(), error.maybe_executed()), (ErrorKind::Connect, false), "{error}");
        // It is shown again the next time.
        assert_eq!((error.record().attempts, case.emulator.stats().connections), (1, 1));
        let text = error.to_string();
        assert!(text.contains("no secure connection") && text.contains(advice), "{text}");
        let report = case.client.check().await;
        let steps = &report.entries[0].steps;
        let status = |name: &str| steps.iter().find(|step| step.name == name).map(|step| step.status);
        assert_eq!(status("connect"), Some(StepStatus::Ok), "{report}");
        assert_eq!(status("tls"), Some(StepStatus::Fail), "{report}");
        assert_eq!(case.emulator.stats().posts, 0, "nothing was sent");
    }
}

/// Its timeout is shorter than the time that there is to connect: nothing was sent all the same, and that is known.
#[tokio::test]
async fn a_create_that_ends_while_it_connects_was_not_sent() {
    // It takes connections, and never begins TLS.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = format!("https://{}", listener.local_addr().unwrap());
    let mute = tokio::spawn(async move {
        let mut taken = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            taken.push(stream);
        }
    });
    let builder = || Client::builder().api_key("sk-test").endpoint(place.clone()).max_attempts(1);
    let short = Duration::from_millis(300);
    let (of_all, of_one) = (builder().create_timeout(short).build().unwrap(), builder().build().unwrap());
    for videos in [of_all.videos(), of_one.videos().timeout(short)] {
        let error = videos.create(wish()).await.unwrap_err();
        assert_eq!((error.kind(), error.maybe_executed()), (ErrorKind::Connect, false), "{error}");
    }
    mute.abort();
}

/// Nothing was sent, so another endpoint may be tried; and a video is read from elsewhere.
#[tokio::test]
async fn a_certificate_that_is_not_believed_leads_to_the_other_endpoint() {
    let first = case(r#"{"tls":{"certificate":"expired"}}"#);
    let second = case("{}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("both.pem");
    std::fs::write(&path, first.emulator.ca_pem().unwrap() + &second.emulator.ca_pem().unwrap()).unwrap();
    let endpoints = [first.emulator.base_url(), second.emulator.base_url()];
    let client = Client::builder().api_key("sk-test").endpoints(endpoints).ca_file(path).build().unwrap();
    let task = client.videos().create(wish()).await.unwrap();
    assert_eq!((first.emulator.stats().connections, second.emulator.stats().posts), (1, 1));
    drop(task);

    // Where there is no other one, reading ends with it as well.
    let id = first.emulator.add_task(TaskSpec::with_video_bytes(300_000));
    let connections = first.emulator.stats().connections;
    let error = first.client.videos().video(&id).unwrap().bytes().await.unwrap_err();
    assert_eq!((error.kind(), error.task_id()), (ErrorKind::Connect, Some(id.as_str())), "{error}");
    let tried = first.emulator.stats().connections - connections;
    assert!(tried <= 3, "{tried} attempts");
}

#[tokio::test]
async fn a_ca_that_is_not_given_is_asked_for() {
    let case = case("{}");
    let client =
        Client::builder().api_key("sk-test").endpoint(case.emulator.base_url()).max_attempts(1).build().unwrap();
    let text = client.videos().get("task_1").await.unwrap_err().to_string();
    assert!(text.contains("give the CA that signed it as ca_file"), "{text}");
}

#[tokio::test]
async fn a_handshake_that_fails_is_tried_again() {
    let case = case(r#"{"tls":{"failures":1}}"#);
    case.client.videos().create(wish()).await.unwrap();
    assert_eq!((case.emulator.stats().posts, case.emulator.created_tasks()), (1, 1));
}

#[tokio::test]
async fn what_is_whole_is_taken_though_tls_was_not_ended() {
    let case = case(r#"{"tls":{"close_notify":false},"rules":[{"fault":{"kind":"until_close"}}]}"#);
    let task = case.client.videos().create(wish()).await.unwrap();
    case.client.videos().get(task.id()).await.unwrap();
    case.client.balance().await.unwrap();
    let requests = case.emulator.requests();
    assert_eq!(requests.len(), 3, "each was asked for once: {requests:?}");

    let id = case.emulator.add_task(TaskSpec::with_video_bytes(300_000));
    let video = case.client.videos().video(&id).unwrap();
    assert_eq!(video.bytes().await.unwrap(), case.emulator.video_bytes(&id).unwrap());
}

#[tokio::test]
async fn what_is_not_whole_is_not_taken() {
    let cut = r#"{"match":{"op":"query"},"times":1,"fault":{"kind":"cut_body","after_bytes":60}}"#;
    let case = case(&format!(r#"{{"tls":{{"close_notify":false}},"rules":[{cut}]}}"#));
    let id = case.emulator.add_task(TaskSpec::default());
    case.client.videos().get(&id).await.unwrap();
    assert_eq!(case.emulator.requests().len(), 2);
    for rst in [false, true] {
        let cut = format!(r#"{{"kind":"cut_body","after_bytes":100000,"rst":{rst}}}"#);
        let rules = format!(r#"{{"rules":[{{"match":{{"op":"content"}},"times":2,"fault":{cut}}}]}}"#);
        case.emulator.set_scenario_json(&rules).unwrap();
        let id = case.emulator.add_task(TaskSpec::with_video_bytes(400_000));
        let bytes = case.client.videos().video(&id).unwrap().bytes().await.unwrap();
        assert_eq!(bytes, case.emulator.video_bytes(&id).unwrap());
    }
}
