//! Reading a JSON object field by field: options and requests as the bindings hand them over.
//!
//! Written out instead of derived: a refusal names its field, and a page has less code to load.

use serde_json::{Map, Value};

use crate::error::{Error, ErrorKind, Phase, Result, one_line};

/// An object that is being read. Every field is asked for once; what nobody asked for is refused at the end.
pub(crate) struct Fields {
    object: Map<String, Value>,
    known: Vec<&'static str>,
    kind: ErrorKind,
    phase: Phase,
}

impl Fields {
    /// Begins with an object. `what` stands in the refusal of anything else.
    pub(crate) fn of(value: Value, kind: ErrorKind, phase: Phase, what: &str) -> Result<Self> {
        match value {
            Value::Object(object) => Ok(Self { object, known: Vec::new(), kind, phase }),
            other => Err(Error::new(kind, phase, format!("{what} must be an object, not {}", name_of(&other)))),
        }
    }

    fn take(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        // It stays, as `null`: taking it out would be the one place of a page that removes anything from a map.
        self.object.get_mut(name).map(Value::take).filter(|value| !value.is_null())
    }

    /// The refusal of a field. It shows no value: there are keys among them.
    pub(crate) fn refuse(&self, name: &'static str, text: impl Into<String>) -> Error {
        Error::field(self.kind, self.phase, name, text)
    }

    fn wrong(&self, name: &'static str, expected: &str, value: &Value) -> Error {
        self.refuse(name, format!("{name} must be {expected}, not {}", name_of(value)))
    }

    pub(crate) fn text(&mut self, name: &'static str) -> Result<Option<String>> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.wrong(name, "a string", &other)),
        }
    }

    pub(crate) fn texts(&mut self, name: &'static str) -> Result<Option<Vec<String>>> {
        const EXPECTED: &str = "a list of strings";
        let list = match self.take(name) {
            None => return Ok(None),
            Some(Value::Array(list)) => list,
            Some(other) => return Err(self.wrong(name, EXPECTED, &other)),
        };
        let mut texts = Vec::with_capacity(list.len());
        for item in list {
            match item {
                Value::String(text) => texts.push(text),
                other => {
                    return Err(self.refuse(name, format!("{name} must be {EXPECTED}; {} is in it", name_of(&other))));
                }
            }
        }
        Ok(Some(texts))
    }

    pub(crate) fn number(&mut self, name: &'static str) -> Result<Option<f64>> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => value.as_f64().map(Some).ok_or_else(|| self.wrong(name, "a number", &value)),
        }
    }

    pub(crate) fn whole(&mut self, name: &'static str) -> Result<Option<i64>> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => value.as_i64().map(Some).ok_or_else(|| self.wrong(name, "a whole number", &value)),
        }
    }

    pub(crate) fn flag(&mut self, name: &'static str) -> Result<Option<bool>> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => value.as_bool().map(Some).ok_or_else(|| self.wrong(name, "true or false", &value)),
        }
    }

    /// A number or a string.
    pub(crate) fn scalar(&mut self, name: &'static str) -> Result<Option<Value>> {
        match self.take(name) {
            Some(value) if !(value.is_number() || value.is_string()) => {
                Err(self.wrong(name, "a number or a string", &value))
            }
            value => Ok(value),
        }
    }

    pub(crate) fn object(&mut self, name: &'static str) -> Result<Map<String, Value>> {
        match self.take(name) {
            None => Ok(Map::new()),
            Some(Value::Object(object)) => Ok(object),
            Some(other) => Err(self.wrong(name, "an object", &other)),
        }
    }

    /// Refuses what is left.
    pub(crate) fn end(self, what: &str) -> Result<()> {
        match self.object.keys().find(|name| !self.known.contains(&name.as_str())) {
            None => Ok(()),
            Some(unknown) => {
                // A name may be anything, so that no more of it is shown than a name has.
                let shown: String = one_line(unknown).chars().take(60).collect();
                let name = if shown.is_empty() { "\"\"".to_owned() } else { shown };
                let text = format!("{name} is not one of the {what}: {}", self.known.join(", "));
                Err(Error::field(self.kind, self.phase, name, text))
            }
        }
    }
}

/// The name of an option, and what sets it.
pub(crate) type Setter<T, V> = (&'static str, fn(&mut T, V));

/// Reads options of one type: each by its name, and hands what is given to its setter.
pub(crate) fn read<T, V>(
    target: &mut T,
    options: &[Setter<T, V>],
    mut take: impl FnMut(&'static str) -> Result<Option<V>>,
) -> Result<()> {
    for (name, set) in options {
        if let Some(value) = take(name)? {
            set(target, value);
        }
    }
    Ok(())
}

const fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number of that kind",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fields(value: Value) -> Fields {
        Fields::of(value, ErrorKind::Config, Phase::Config, "the options").unwrap()
    }

    #[test]
    fn every_refusal_names_its_field_and_shows_no_value() {
        let bad = json!({"a": [1], "b": ["sk-secret", 1], "c": "sk-secret", "d": 1.5, "e": "sk-secret", "f": [], "g": "sk-secret"});
        let mut all = fields(bad);
        let errors = [
            all.text("a").unwrap_err(),
            all.texts("b").unwrap_err(),
            all.number("c").unwrap_err(),
            all.whole("d").unwrap_err(),
            all.flag("e").unwrap_err(),
            all.scalar("f").unwrap_err(),
            all.object("g").unwrap_err(),
        ];
        for (error, name) in errors.iter().zip(["a", "b", "c", "d", "e", "f", "g"]) {
            assert_eq!(error.record().field.as_deref(), Some(name));
            assert!(
                error.to_string().contains(&format!("{name} must be")) && !error.to_string().contains("secret"),
                "{error}"
            );
        }
        all.end("options").unwrap();
    }

    #[test]
    fn null_is_not_given_and_unknown_names_are_refused() {
        let mut some = fields(json!({"timeout": null, "tiemout": "sk-secret"}));
        assert_eq!(some.number("timeout").unwrap(), None);
        let error = some.end("options").unwrap_err();
        assert_eq!(error.record().message, "tiemout is not one of the options: timeout");
        assert!(Fields::of(json!([]), ErrorKind::Config, Phase::Config, "the options").is_err());
    }
}
