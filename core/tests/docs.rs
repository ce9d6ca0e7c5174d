//! What the documents show as JSON is what the crate reads and writes.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use junfeiai::protocol::part::PartState;
use junfeiai::{Client, ClientBuilder, Error, ErrorKind, Pending, Phase, VideoRequest};
use serde_json::Value;

const GUIDE: &str = include_str!("../README.md");
const ARCHITECTURE: &str = include_str!("../docs/ARCHITECTURE.md");

/// The blocks of this kind: what stands behind the three marks.
fn blocks(text: &str, kind: &str) -> Vec<String> {
    let start = format!("```{kind}\n");
    text.split(start.as_str()).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

fn values(text: &str, kind: &str) -> Vec<Value> {
    let found: Vec<_> = blocks(text, kind).iter().map(|block| serde_json::from_str(block).unwrap()).collect();
    assert!(!found.is_empty(), "there is no block {kind}");
    found
}

#[test]
fn every_json_block_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut read = 0;
    for mut options in values(GUIDE, "json client") {
        options["journal"] = folder.path().join("paid.journal").to_str().unwrap().into();
        options["api_key"] = "sk-test".into();
        ClientBuilder::from_json(options).unwrap().build().unwrap();
        read += 1;
    }
    for request in values(GUIDE, "json request") {
        VideoRequest::from_json(request).unwrap().prepare().unwrap();
        read += 1;
    }
    let client = Client::new("sk-test").unwrap();
    for options in values(GUIDE, "json wait") {
        let _ = client.videos().task("task_1").unwrap().wait().options_json(options).unwrap();
        read += 1;
    }
    for options in values(GUIDE, "json save") {
        let _ = client.videos().video("task_1").unwrap().save("x.mp4").options_json(options).unwrap();
        read += 1;
    }
    for shown in values(GUIDE, "json error") {
        let real = Error::new(ErrorKind::WaitTimeout, Phase::Wait, "…").to_json();
        let fields = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(fields(&shown), fields(&real));
        for name in ["kind", "number", "phase", "maybe_executed", "transient"] {
            assert_eq!(shown[name], real[name], "{name}");
        }
        read += 1;
    }
    assert_eq!(read, GUIDE.matches("```json").count(), "a block of JSON that nobody reads");
}

#[tokio::test]
async fn the_journal_of_the_architecture_page_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("paid.journal");
    std::fs::write(&path, &blocks(ARCHITECTURE, "jsonl journal")[0]).unwrap();
    let client = Client::builder().api_key("sk-test").journal(&path).build().unwrap();
    let pending = client.videos().pending().await.unwrap();
    assert!(matches!(&pending[0], Pending::Task { task_id, .. } if task_id == "task_abc"), "{pending:?}");
    assert!(matches!(&pending[1], Pending::Unknown { reason, .. } if reason == "timeout"), "{pending:?}");
    assert_eq!(pending.len(), 2);
}

#[test]
fn the_part_file_of_the_architecture_page_is_one() {
    let text = &blocks(ARCHITECTURE, "text part")[0];
    let kept = PartState::read(Some("task_abc"), Some("5f0c…"), text.as_bytes(), 550).unwrap();
    assert_eq!(kept.progress.ranges.to_string(), "0-99,500-549");
    assert_eq!(kept.progress.validators.total, Some(1000));
}
