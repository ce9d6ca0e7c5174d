//! Options as C set them, by the core's names. The core judges them when a call is made with them.

use junfeiai::Error;
use serde_json::{Map, Value};

use crate::failure::Failure;
use crate::setters::Setters;

/// What was set, and by which function of C.
#[derive(Debug, Clone, Default)]
pub(crate) struct OptionValues {
    values: Map<String, Value>,
    setters: Setters,
}

impl OptionValues {
    /// Sets an option for this function of C.
    pub(crate) fn set(&mut self, option: &'static str, function: &'static str, value: impl Into<Value>) {
        self.insert(option, value);
        self.setters.note(option, function);
    }

    /// Sets an option that no function of C is named for.
    pub(crate) fn insert(&mut self, option: &'static str, value: impl Into<Value>) {
        self.values.insert(option.to_owned(), value.into());
    }

    /// Notes the function of C for an option whose value is elsewhere.
    pub(crate) fn note(&mut self, option: &'static str, function: &'static str) {
        self.setters.note(option, function);
    }

    pub(crate) fn remove(&mut self, option: &str) -> Option<Value> {
        self.values.remove(option)
    }

    /// Adds to an option that is a list.
    pub(crate) fn push(&mut self, option: &'static str, value: Value) {
        match self.values.get_mut(option).and_then(Value::as_array_mut) {
            Some(list) => list.push(value),
            None => self.insert(option, vec![value]),
        }
    }

    /// Sets a part of an option that is an object, whatever the case of its name.
    pub(crate) fn set_part(&mut self, option: &'static str, name: &str, value: &str) {
        let parts = self.values.entry(option).or_insert_with(|| Value::Object(Map::new()));
        if let Some(parts) = parts.as_object_mut() {
            parts.retain(|known, _| !known.eq_ignore_ascii_case(name));
            parts.insert(name.to_owned(), value.into());
        }
    }

    /// As the core reads them.
    pub(crate) fn json(&self) -> Value {
        Value::Object(self.values.clone())
    }

    /// The core's refusal, with the function of C in front that set the option.
    pub(crate) fn named(&self, error: Error) -> Failure {
        self.setters.named(error.into())
    }
}
