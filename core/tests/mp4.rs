//! Made MP4 files with the right verdict on each, and what the check makes of them.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use junfeiai::protocol::mp4::{Mp4Fault, Mp4Info, check_slice};
use serde_json::Value;

/// What is wrong with this verdict; `None` when it is right.
fn judge(want: &Value, verdict: &Result<Mp4Info, Mp4Fault>) -> Option<String> {
    let info = match (want["expect"].as_str().unwrap(), verdict) {
        ("refuse", Ok(info)) => return Some(format!("accepted: {info:?}")),
        ("refuse" | "either", Err(_)) => return None,
        ("accept", Err(fault)) => return Some(format!("refused: {fault}")),
        ("accept" | "either", Ok(info)) => info,
        (other, _) => panic!("no verdict: {other}"),
    };
    let size = (want["width"].as_u64(), want["height"].as_u64());
    let has = (info.width.map(u64::from), info.height.map(u64::from));
    if has != size {
        return Some(format!("{has:?} instead of {size:?}"));
    }
    let (is, has) = (want["duration_s"].as_f64().unwrap(), info.duration.map(|duration| duration.as_secs_f64()));
    let right = match has {
        None => want["unknown_ok"] == true,
        Some(has) => (has - is).abs() <= want["tolerance_s"].as_f64().unwrap(),
    };
    (!right).then(|| format!("{has:?} s instead of {is}"))
}

#[test]
fn every_file_of_the_manifest_gets_its_verdict() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mp4");
    let manifest: Value = serde_json::from_slice(&std::fs::read(folder.join("manifest.json")).unwrap()).unwrap();
    let files = manifest["files"].as_array().unwrap();
    let mut wrong = Vec::new();
    for want in files {
        let name = want["file"].as_str().unwrap();
        let verdict = check_slice(&std::fs::read(folder.join(name)).unwrap());
        println!("{name}: {verdict:?}");
        if let Some(problem) = judge(want, &verdict) {
            wrong.push(format!("{name} ({}): {problem}; {}", want["layout"], want["note"]));
        }
    }
    assert!(files.len() > 50, "{} files", files.len());
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), files.len(), wrong.join("\n"));
}
