//! Keys, what they may do, and what is left on them.

use crate::{
    arrival::Context,
    errors::Shape,
    scenario::{KeySpec, KeyState},
    state::Inner,
};

/// Quota units of one USD.
pub(crate) const UNITS: f64 = 500_000.0;
/// Models that the document names, and segment models of the kind it advises against.
pub(crate) const MODELS: [&str; 5] =
    ["grok-image-video", "grok-video-1.5", "grok-image-video-4s", "grok-image-video-6s-8s", "grok-image-video-10s-15s"];
/// Quota units of one second of video.
pub(crate) fn price(model: &str) -> u64 {
    if model == "grok-video-1.5" { 40_000 } else { 25_000 }
}

/// One key with what is left on it.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) spec: KeySpec,
    pub(crate) units: i64,
    pub(crate) used: u64,
    pub(crate) creates: u32,
    pub(crate) usage_calls: Vec<f64>,
}

impl Account {
    pub(crate) fn new(spec: KeySpec) -> Self {
        let units = (spec.balance * UNITS) as i64;
        Self { spec, units, used: 0, creates: 0, usage_calls: Vec::new() }
    }

    /// What is left to the caller's eyes: nothing on a key that counts as used up.
    pub(crate) fn left(&self) -> i64 {
        if self.spec.state == KeyState::UsedUp || self.is_used_up() { self.units.min(0) } else { self.units }
    }

    /// Whether the key's list of models, if it has one, has this one.
    pub(crate) fn may_use(&self, model: &str) -> bool {
        self.spec.models.as_ref().is_none_or(|models| models.iter().any(|allowed| allowed == model))
    }

    pub(crate) fn is_used_up(&self) -> bool {
        self.units <= 0 || self.spec.used_up_after_creates.is_some_and(|most| self.creates >= most)
    }
}

/// The gate: which account a request belongs to, or the answer that keeps it out.
pub(crate) fn gate(inner: &Inner, context: &Context) -> Result<(String, String), Shape> {
    let key = context.key.as_deref().ok_or(Shape::InvalidToken)?;
    let account = inner.accounts.get(key).ok_or(Shape::InvalidToken)?;
    match account.spec.state {
        KeyState::Active if !account.is_used_up() => Ok((key.to_owned(), account.spec.account.clone())),
        KeyState::Banned => Err(Shape::Banned),
        KeyState::IpDenied => Err(Shape::IpDenied),
        _ => Err(Shape::InvalidToken),
    }
}
