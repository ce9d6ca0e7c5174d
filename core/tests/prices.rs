//! What a create will cost, and the limit to it, against the emulator's true billing.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use junfeiai::{Certainty, Client, ClientBuilder, ErrorKind, VideoRequest, WarningCode};
use junfeiai_emulator::Emulator;

const KEY: &str = "sk-test-0123456789";

fn emulator() -> Emulator {
    Emulator::builder().api_key(KEY).start().unwrap()
}

fn builder(emulator: &Emulator) -> ClientBuilder {
    Client::builder().api_key(KEY).endpoint(emulator.base_url()).proxy("")
}

fn request(seconds: u32) -> VideoRequest {
    VideoRequest::new("a ball").seconds(seconds)
}

#[tokio::test]
async fn estimates_are_what_is_charged() {
    let emulator = emulator();
    let first = builder(&emulator).build().unwrap();
    let guess = first.videos().estimate(request(6)).await.unwrap();
    assert_eq!((guess.units, guess.certainty), (Some(150_000), Certainty::DefaultGroup));
    assert_eq!(emulator.created_tasks(), 0);
    first.videos().create(request(6)).await.unwrap();

    let client = builder(&emulator).build().unwrap();
    let (mut exact, mut rounded) = (0, 0);
    let sizes = ["1280x720", "720x1280", "1792x1024", "1024x1792", "1024x1024"];
    for number in 0..200_u32 {
        let order = request(1 + number % 15).size(sizes[(number / 15) as usize % sizes.len()]);
        let estimate = client.videos().estimate(order.clone()).await.unwrap();
        let task = client.videos().create(order).await.unwrap();
        let charged = client.videos().get(task.id()).await.unwrap().snapshot().charged_units.unwrap();
        match estimate.certainty {
            Certainty::Exact => {
                assert_eq!(estimate.units, Some(charged));
                exact += 1;
            }
            Certainty::Rounded => {
                assert!(charged <= estimate.units.unwrap());
                rounded += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    println!(
        "certainty  creates  wrong\nexact      {exact:>7}      0\nrounded    {rounded:>7}      0 (charged at most the estimate)"
    );
    assert!(exact >= 100 && exact + rounded == 200, "{exact} {rounded}");
    let asked = emulator.requests().iter().filter(|request| request.path.starts_with("/api/")).count();
    assert_eq!(asked, 4, "once for each list and client");
}

#[tokio::test]
async fn what_would_cost_more_is_not_sent() {
    let emulator = emulator();
    let client = builder(&emulator).max_cost(0.3).build().unwrap();
    let error = client.videos().create(request(7)).await.unwrap_err();
    assert_eq!((error.kind(), error.record().field.as_deref()), (ErrorKind::InvalidRequest, Some("max_cost")));
    assert!(error.to_string().contains("0.35 USD") && error.to_string().contains("0.3 USD"), "{error}");
    assert_eq!(emulator.created_tasks(), 0);
    client.videos().create(request(6)).await.unwrap();
    assert!(builder(&emulator).max_cost(-1.0).build().is_err());
    assert!(builder(&emulator).max_cost(f64::NAN).build().is_err());
}

#[tokio::test]
async fn hidden_prices_are_a_warning_or_refused() {
    let emulator = emulator();
    emulator.set_scenario_json(r#"{"api":{"pricing":false}}"#).unwrap();
    let task = builder(&emulator).max_cost(0.3).build().unwrap().videos().create(request(6)).await.unwrap();
    assert!(task.warnings().iter().any(|warning| warning.code == WarningCode::PriceUnknown));
    let strict = builder(&emulator).max_cost(0.3).max_cost_strict(true).build().unwrap();
    let error = strict.videos().create(request(6)).await.unwrap_err();
    assert_eq!(error.record().field.as_deref(), Some("max_cost"));
    // The charge before tells what the model costs.
    let client = builder(&emulator).max_cost(0.3).build().unwrap();
    assert_eq!(client.videos().estimate(request(6)).await.unwrap().certainty, Certainty::LastCharge);
    assert!(client.videos().create(request(7)).await.is_err());
    assert_eq!(emulator.created_tasks(), 1);
}
