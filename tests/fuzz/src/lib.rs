//! What several targets need: the answers of the vectors, and bytes read as settings.

use std::sync::OnceLock;
use std::time::Duration;

use junfeiai::Phase;
use junfeiai::protocol::ApiResponse;
use junfeiai::transport::Headers;
use serde_json::Value;

/// An answer of the vectors, and what it answers.
pub struct Sample {
    pub phase: Phase,
    pub answer: ApiResponse,
}

/// Every answer in `tests/vectors`, in the order that `seeds.py` counts them.
pub fn samples() -> &'static [Sample] {
    static SAMPLES: OnceLock<Vec<Sample>> = OnceLock::new();
    SAMPLES.get_or_init(|| {
        let files = [
            (Phase::Create, include_str!("../../vectors/create.json")),
            (Phase::Query, include_str!("../../vectors/query.json")),
            (Phase::Content, include_str!("../../vectors/errors.json")),
        ];
        files.into_iter().flat_map(|(phase, text)| read(phase, text)).collect()
    })
}

fn read(phase: Phase, text: &str) -> Vec<Sample> {
    let file: Value = serde_json::from_str(text).expect("vectors are JSON");
    let vectors = file["vectors"].as_array().expect("a list of vectors");
    vectors.iter().map(|vector| sample(phase, &vector["input"])).collect()
}

fn sample(phase: Phase, input: &Value) -> Sample {
    let headers: Headers = input["headers"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|pair| (pair[0].as_str().unwrap_or_default(), pair[1].as_str().unwrap_or_default()))
        .collect();
    let phase = match input["phase"].as_str() {
        Some("create") => Phase::Create,
        Some("query") => Phase::Query,
        _ => phase,
    };
    let status = input["status"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or_default();
    let body = input["body"].as_str().unwrap_or_default().to_owned();
    Sample { phase, answer: ApiResponse::new(status, headers, body) }
}

/// Bytes in order; zeros when there are no more.
pub struct Input<'a>(pub &'a [u8]);

impl Input<'_> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    pub fn pair(&mut self) -> usize {
        usize::from(self.byte()) << 8 | usize::from(self.byte())
    }

    pub fn seconds(&mut self) -> Duration {
        Duration::from_secs(u64::from(self.byte()))
    }

    /// A time that is short, or long, or nothing: the first two bits of a byte say the unit.
    pub fn span(&mut self) -> Duration {
        let byte = self.byte();
        let count = u64::from(byte & 63);
        match byte >> 6 {
            0 => Duration::from_millis(count),
            1 => Duration::from_millis(count * 50),
            2 => Duration::from_secs(count),
            _ => Duration::from_secs(count * 60),
        }
    }
}
