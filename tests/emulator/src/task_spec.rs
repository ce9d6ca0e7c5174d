//! A task described by a test instead of by a POST.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    plan::TaskPlan,
    scenario::{ScenarioError, parse_value},
};

/// A task to put into the emulator without a POST.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskSpec {
    /// Its id; made up when `None`.
    pub id: Option<String>,
    /// Model.
    pub model: String,
    /// Prompt.
    pub prompt: String,
    /// Length of the video.
    pub seconds: u32,
    /// The account that it belongs to.
    pub account: String,
    /// How far it is.
    pub state: TaskState,
    /// Everything else, as in a scenario's `task`.
    pub plan: TaskPlan,
}

/// How far an added task is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TaskState {
    /// Just made.
    Queued,
    /// Just started to run.
    Running,
    /// Ended this moment, with a video.
    #[default]
    Finished,
    /// Ended this moment, without one.
    Failed,
}

impl Default for TaskSpec {
    fn default() -> Self {
        Self {
            id: None,
            model: "grok-image-video".into(),
            prompt: "a test card".into(),
            seconds: 6,
            account: "default".into(),
            state: TaskState::Finished,
            plan: TaskPlan::default(),
        }
    }
}

impl TaskSpec {
    /// A finished task whose file has (at least) this many bytes.
    pub fn with_video_bytes(bytes: u64) -> Self {
        Self { plan: TaskPlan { video_bytes: Some(bytes), ..TaskPlan::default() }, ..Self::default() }
    }

    /// Reads a description from JSON: `id`, `model`, `prompt`, `seconds`, `account`, `state`, and beside them any field
    /// of a scenario's `task`.
    pub fn from_json(text: &str) -> Result<Self, ScenarioError> {
        #[derive(Deserialize)]
        #[serde(default)]
        struct Own {
            id: Option<String>,
            model: String,
            prompt: String,
            seconds: u32,
            account: String,
            state: TaskState,
        }
        impl Default for Own {
            fn default() -> Self {
                let TaskSpec { id, model, prompt, seconds, account, state, .. } = TaskSpec::default();
                Self { id, model, prompt, seconds, account, state }
            }
        }
        let mut plan: serde_json::Map<String, Value> = crate::scenario::parse(text)?;
        let mut own = serde_json::Map::new();
        for name in ["id", "model", "prompt", "seconds", "account", "state"] {
            if let Some(value) = plan.remove(name) {
                own.insert(name.into(), value);
            }
        }
        let Own { id, model, prompt, seconds, account, state } = parse_value(Value::Object(own))?;
        let plan: TaskPlan = parse_value(Value::Object(plan))?;
        plan.check("")?;
        Ok(Self { id, model, prompt, seconds, account, state, plan })
    }
}

/// `WIDTHxHEIGHT` in pixels, within what the coder can do; odd numbers are rounded up, as 4:2:0 needs even ones.
pub(crate) fn parse_size(text: &str) -> Option<(u32, u32)> {
    let (width, height) = text.split_once(['x', 'X', '*'])?;
    let size = (width.trim().parse::<u32>().ok()?, height.trim().parse::<u32>().ok()?);
    let fits = |side: u32| (16..=4_096).contains(&side);
    (fits(size.0) && fits(size.1)).then_some((size.0.next_multiple_of(2), size.1.next_multiple_of(2)))
}
