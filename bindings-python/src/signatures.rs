//! Parameters of the calls that have many.
//!
//! Written from core/options.toml by `make options`; do not edit.

use crate::parameter_kind::Kind;

/// The options of a client that core reads, by its name.
pub(crate) const CLIENT_OPTIONS: &[(&str, Kind)] = &[
    ("api_key", Kind::Text),
    ("endpoint", Kind::Text),
    ("base_url", Kind::Text),
    ("endpoints", Kind::Texts),
    ("video_base_url", Kind::Text),
    ("trusted_hosts", Kind::Texts),
    ("timeout", Kind::Number),
    ("create_timeout", Kind::Number),
    ("connect_timeout", Kind::Number),
    ("idle_timeout", Kind::Number),
    ("poll_interval", Kind::Number),
    ("wait_timeout", Kind::Number),
    ("max_attempts", Kind::Int),
    ("max_poll_errors", Kind::Int),
    ("request_rate", Kind::Number),
    ("request_burst", Kind::Int),
    ("max_in_flight_creates", Kind::Int),
    ("max_cost", Kind::Number),
    ("max_cost_strict", Kind::Bool),
    ("budget", Kind::Number),
    ("language", Kind::Text),
    ("headers", Kind::Headers),
    ("user_agent", Kind::Text),
    ("journal", Kind::Path),
    ("journal_prompts", Kind::Bool),
    ("proxy", Kind::Text),
    ("ca_file", Kind::Path),
];

/// The options of a wait that core reads, by its name.
pub(crate) const WAIT_OPTIONS: &[(&str, Kind)] = &[("timeout", Kind::Number), ("poll_interval", Kind::Number)];

/// The options of a save that core reads, by its name.
pub(crate) const SAVE_OPTIONS: &[(&str, Kind)] = &[
    ("connections", Kind::Int),
    ("overwrite", Kind::Bool),
    ("create_parents", Kind::Bool),
    ("sha256", Kind::Bool),
    ("verify", Kind::Bool),
    ("timeout", Kind::Number),
    ("rate_limit", Kind::Number),
];

/// The arguments that describe a video.
pub(crate) const REQUEST_FIELDS: &[&str] =
    &["prompt", "model", "seconds", "size", "image", "images", "duration", "extra", "validate", "key", "retry_failed"];

/// Hands the parameters to `classes!`: names, and the signature that Python shows, whose defaults are core's.
macro_rules! with_signatures {
    ($($rest:tt)*) => {
        classes! {
            client: [api_key endpoint base_url endpoints video_base_url trusted_hosts timeout create_timeout connect_timeout idle_timeout poll_interval wait_timeout max_attempts max_poll_errors request_rate request_burst max_in_flight_creates max_cost max_cost_strict budget language headers user_agent journal journal_prompts proxy ca_file] "(*, api_key=None, endpoint=None, base_url=None, endpoints=None, video_base_url=None, trusted_hosts=None, timeout=None, create_timeout=None, connect_timeout=None, idle_timeout=None, poll_interval=None, wait_timeout=None, max_attempts=4, max_poll_errors=20, request_rate=None, request_burst=None, max_in_flight_creates=4, max_cost=None, max_cost_strict=False, budget=None, language=None, headers=None, user_agent=None, journal=None, journal_prompts=False, proxy=None, ca_file=None)";
            request: [model seconds size image images duration extra validate key retry_failed] "($self, prompt='', *, model=None, seconds=None, size=None, image=None, images=None, duration=None, extra=None, validate=None, key=None, retry_failed=False)";
            create: "($self, prompt='', *, model=None, seconds=None, size=None, image=None, images=None, duration=None, extra=None, validate=None, key=None, retry_failed=False, timeout=None)";
            generate: [timeout poll_interval on_progress] "($self, prompt='', *, model=None, seconds=None, size=None, image=None, images=None, duration=None, extra=None, validate=None, key=None, retry_failed=False, timeout=None, poll_interval=None, on_progress=None)";
            wait: "($self, *, timeout=None, poll_interval=None, on_progress=None)";
            save: [connections overwrite create_parents sha256 verify timeout rate_limit on_progress] "($self, path, *, connections=1, overwrite=False, create_parents=False, sha256=False, verify=True, timeout=None, rate_limit=None, on_progress=None)";
            check_save: [connections overwrite create_parents sha256 verify timeout rate_limit] "($self, path, *, connections=1, overwrite=False, create_parents=False, sha256=False, verify=True, timeout=None, rate_limit=None)";
            $($rest)*
        }
    };
}
pub(crate) use with_signatures;
