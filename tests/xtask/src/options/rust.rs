//! The setters of the core, and what its readers of JSON go through.

use std::fmt::Write as _;

use super::table::{Group, Language, Opt, Table, comment};

const HEAD: &str = "\
//! Options one by one: their setters, and by type for the reader of JSON.
//!
//! Written from core/options.toml by `make options`; do not edit.
";

const RANGES: &str = "\
//! Options that must be above zero.
//!
//! Written from core/options.toml by `make options`; do not edit.
";

pub(super) fn client(table: &Table) -> String {
    let mut text = format!(
        "{HEAD}\n#[cfg(feature = \"native\")]\nuse std::path::PathBuf;\nuse std::time::Duration;\n\n\
         use crate::client::builder::ClientBuilder;\n\
         use crate::client::task::Wait;\nuse crate::protocol::WaitPolicy;\nuse crate::text::fields::Setter;\n"
    );
    setters(&mut text, &table.client, "ClientBuilder", "#[must_use]");
    setters(&mut text, &table.wait, "Wait", "");
    let of = |option: &&Opt, kinds: &[&str]| kinds.contains(&option.kind.as_str());
    for (name, kinds, value) in [
        ("TEXTS", &["secret", "text", "url"][..], "String"),
        ("SECONDS", &["seconds"], "Duration"),
        ("COUNTS", &["count"], "u32"),
        ("FLAGS", &["flag"], "bool"),
    ] {
        let options = table
            .client
            .of(Language::Json)
            .filter(|option| !option.rust.own && has_setter(option) && of(option, kinds));
        let needs = (name == "FLAGS").then_some("prices");
        read_by(&mut text, &format!("CLIENT_{name}"), ("ClientBuilder", "builder"), value, needs, options);
    }
    let paths = table.client.of(Language::Json).filter(|option| of(option, &["path"]));
    read_by(&mut text, "CLIENT_PATHS", ("ClientBuilder", "builder"), "PathBuf", Some("native"), paths);
    let _ = write!(text, "\n/// How one wait differs from the client's others.\n");
    text.push_str("pub(super) const WAIT_SECONDS: &[Setter<WaitPolicy, Duration>] = &[\n");
    for option in table.wait.of(Language::Json).filter(|option| option.kind == "seconds") {
        let call = option.rust.call.as_deref().unwrap_or_default();
        let _ = writeln!(text, "    (\"{}\", WaitPolicy::{}),", option.name, call.trim_start_matches("policy."));
    }
    text.push_str("];\n");
    text
}

pub(super) fn save(table: &Table) -> String {
    let mut text =
        format!("{HEAD}\nuse std::time::Duration;\n\nuse crate::save::file::Save;\nuse crate::text::fields::Setter;\n");
    setters(&mut text, &table.save, "Save", "");
    for (name, kind, value) in
        [("SECONDS", "seconds", "Duration"), ("COUNTS", "count", "u32"), ("FLAGS", "flag", "bool")]
    {
        let options = table.save.of(Language::Json).filter(|option| option.kind == kind);
        read_by(&mut text, &format!("SAVE_{name}"), ("Save", "save"), value, None, options);
    }
    text
}

fn has_setter(option: &Opt) -> bool {
    option.rust.field.is_some() || option.rust.call.is_some()
}

fn parameter(option: &Opt) -> (&'static str, String) {
    let (kind, value) = match option.kind.as_str() {
        "secret" | "endpoint" | "text" | "url" => ("impl Into<String>", "value.into()"),
        "path" => ("impl Into<PathBuf>", "value.into()"),
        "texts" => ("impl IntoIterator<Item = impl Into<String>>", "value.into_iter().map(Into::into).collect()"),
        "seconds" => ("Duration", "value"),
        "count" => ("u32", "value"),
        _ => ("bool", "value"),
    };
    (kind, value.to_owned())
}

/// The statement that sets it on this object.
fn assignment(option: &Opt, object: &str, value: &str) -> String {
    let optional = !option.rust.plain && matches!(option.kind.as_str(), "text" | "url" | "path");
    match (&option.rust.field, &option.rust.call) {
        (Some(field), _) if optional => format!("{object}.{field} = Some({value})"),
        (Some(field), _) => format!("{object}.{field} = {value}"),
        (None, call) => format!("{object}.{}({value})", call.as_deref().unwrap_or_default()),
    }
}

fn setters(text: &mut String, group: &Group, owner: &str, attribute: &str) {
    let _ = write!(text, "\nimpl {owner} {{\n");
    let mut first = true;
    for option in group.of(Language::Rust).filter(|option| has_setter(option)) {
        let name = option.name_in(Language::Rust);
        let (kind, value) = parameter(option);
        text.push_str(if std::mem::take(&mut first) { "" } else { "\n" });
        text.push_str(&comment(&option.documentation(Language::Rust), "    ", "///"));
        if let Some(feature) = &option.rust.feature {
            let _ = writeln!(text, "    #[cfg(feature = \"{feature}\")]");
        }
        if !attribute.is_empty() {
            let _ = writeln!(text, "    {attribute}");
        }
        let _ = write!(
            text,
            "    pub fn {name}(mut self, value: {kind}) -> Self {{\n        {};\n        self\n    }}\n",
            assignment(option, "self", &value)
        );
    }
    text.push_str("}\n");
}

/// A list of names, each with the function that sets it. `needs` is the cargo feature that all of them need.
fn read_by<'a>(
    text: &mut String,
    name: &str,
    (owner, object): (&str, &str),
    value: &str,
    needs: Option<&str>,
    options: impl Iterator<Item = &'a Opt>,
) {
    let gate = |feature: &str, indent: &str| format!("{indent}#[cfg(feature = \"{feature}\")]\n");
    let outer = needs.map(|feature| gate(feature, "")).unwrap_or_default();
    let _ = write!(text, "\n{outer}pub(crate) const {name}: &[Setter<{owner}, {value}>] = &[\n");
    for option in options {
        if let Some(feature) = option.rust.feature.as_deref().filter(|feature| Some(*feature) != needs) {
            text.push_str(&gate(feature, "    "));
        }
        let _ = writeln!(text, "    (\"{}\", |{object}, value| {}),", option.name, assignment(option, object, "value"));
    }
    text.push_str("];\n");
}

/// What must be above zero, with its value.
pub(super) fn ranges(table: &Table) -> String {
    let mut text =
        format!("{RANGES}\nuse std::time::Duration;\n\nuse crate::calls::config::Options;\n\nimpl Options {{");
    for (name, kind, value) in [("times_above_zero", "seconds", "Duration"), ("counts_above_zero", "count", "u32")] {
        let options: Vec<_> = table
            .client
            .of(Language::Rust)
            .filter(|option| option.kind == kind && option.range.is_some())
            .filter_map(|option| Some((option, option.rust.field.as_deref()?)))
            .collect();
        let _ = write!(
            text,
            "\n    /// The options that must be above zero, and what they are set to.\n    \
             pub(super) fn {name}(&self) -> [(&'static str, {value}); {}] {{\n    [\n",
            options.len()
        );
        for (option, field) in options {
            let _ = writeln!(text, "        (\"{}\", {}),", option.name, field.replace("options.", "self."));
        }
        text.push_str("    ]\n}\n");
    }
    text + "}\n"
}
