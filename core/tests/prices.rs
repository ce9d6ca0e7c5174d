//! What a create will cost, and the limit to it, against the emulator's true billing.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use junfeiai::{Certainty, Client, ClientBuilder, ErrorKind, Image, VideoRequest, WarningCode};
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
    // Per kind of estimate: creates, and those that were charged something else.
    let mut exact = (0, 0);
    let mut rounded = (0, 0);
    let sizes = ["1280x720", "1792x1024", "720x1280", "1024x1792", "1024x1024"];
    for (version, group, ratio) in
        [("older", "default", 1.0), ("newer", "default", 1.0), ("older", "vip", 0.55), ("newer", "vip", 0.55)]
    {
        let emulator = emulator();
        let scenario =
            format!(r#"{{"api":{{"version":"{version}"}},"accounts":[{{"name":"default","group":"{group}"}}]}}"#);
        emulator.set_scenario_json(&scenario).unwrap();
        let first = builder(&emulator).build().unwrap();
        let guess = first.videos().estimate(request(6)).await.unwrap();
        // The group is not known yet; the most that any group pays is.
        assert_eq!((guess.units, guess.certainty), (Some(150_000), Certainty::DefaultGroup));
        assert_eq!((guess.units_at_most, emulator.created_tasks()), (Some(150_000), 0));
        first.videos().create(request(6)).await.unwrap();

        // One row of the log names it to every other client.
        let client = builder(&emulator).build().unwrap();
        for number in 0..50_u32 {
            let order = request(1 + number % 15).size(sizes[(number / 2) as usize % sizes.len()]);
            let order = match number % 2 {
                0 => order,
                _ => order.model("grok-video-1.5").image(Image::url("https://images.example/a.png")),
            };
            let estimate = client.videos().estimate(order.clone()).await.unwrap();
            assert_eq!((estimate.group.as_deref(), estimate.group_ratio), (Some(group), Some(ratio)));
            let task = client.videos().create(order).await.unwrap();
            let charged = client.videos().get(task.id()).await.unwrap().snapshot().charged_units.unwrap();
            match estimate.certainty {
                Certainty::Exact => {
                    exact.0 += 1;
                    exact.1 += u32::from(estimate.units != Some(charged));
                }
                Certainty::Rounded => {
                    rounded.0 += 1;
                    // At most the estimate, and less than one unit for each second below it.
                    let most = estimate.units.unwrap();
                    rounded.1 += u32::from(charged > most || most - charged > estimate.billed_seconds);
                }
                other => panic!("{other:?}"),
            }
        }
        let asked = emulator.requests().iter().filter(|request| request.path.starts_with("/api/")).count();
        assert_eq!(asked, 4, "once for each list and client");
    }
    println!("estimate  creates  charged otherwise");
    println!("exact     {:>7}  {:>17}", exact.0, exact.1);
    println!("rounded   {:>7}  {:>17}", rounded.0, rounded.1);
    assert_eq!((exact.0 + rounded.0, exact.1, rounded.1), (200, 0, 0));
    assert!(exact.0 >= 100, "{exact:?}");
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
