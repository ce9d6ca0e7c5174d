//! The setters of C. cbindgen makes the header of them.

use std::fmt::Write as _;

use super::table::{Group, Language, Opt, comment};

pub(super) fn path(group: &Group) -> &'static str {
    match group.name {
        "client" => "bindings-c/src/client_setters.rs",
        "wait" => "bindings-c/src/wait_setters.rs",
        _ => "bindings-c/src/save_setters.rs",
    }
}

pub(super) fn function(group: &Group, option: &Opt) -> String {
    let unit = if option.kind == "seconds" { "_ms" } else { "" };
    let usual = || format!("jfai_{}_options_set_{}{unit}", group.name, option.name);
    option.c.function.clone().unwrap_or_else(usual)
}

/// The setters that are written here.
pub(super) fn generated(group: &Group) -> impl Iterator<Item = &Opt> {
    group.of(Language::C).filter(|option| !option.c.own)
}

pub(super) fn setters(group: &Group) -> String {
    let owner = format!("jfai_{}_options", group.name);
    let module = if group.name == "client" { "options" } else { group.name };
    let kinds: Vec<&str> = generated(group).map(|option| option.kind.as_str()).collect();
    let texts = kinds.iter().any(|kind| matches!(*kind, "secret" | "endpoint" | "text" | "url"));
    let paths = kinds.contains(&"path");
    let mut text = format!(
        "//! The setters of {owner}.\n//!\n\
         //! Written from core/options.toml by `make options`; do not edit.\n\n"
    );
    if texts || paths {
        text.push_str("use std::ffi::c_char;\n");
    }
    text.push_str("use std::mem::MaybeUninit;\n\nuse crate::error_handle::jfai_error;\nuse crate::failure::need;\nuse crate::guard::guard;\n");
    let _ = writeln!(text, "use crate::{module}::{owner};\nuse crate::status::jfai_status;");
    match (texts, paths) {
        (true, true) => text.push_str("use crate::text::{path, text};\n"),
        (true, false) => text.push_str("use crate::text::text;\n"),
        (false, true) => text.push_str("use crate::text::path;\n"),
        (false, false) => {}
    }
    if kinds.contains(&"seconds") {
        text.push_str("use crate::time::seconds;\n");
    }
    for option in generated(group) {
        setter(&mut text, group, option, &owner);
    }
    text
}

fn setter(text: &mut String, group: &Group, option: &Opt, owner: &str) {
    let (function, name) = (function(group, option), &option.name);
    let (parameter, kind, unsafety) = match option.kind.as_str() {
        "secret" | "endpoint" | "text" | "url" => (name.as_str(), "*const c_char", "unsafe "),
        "path" => ("file", "*const c_char", "unsafe "),
        "seconds" => ("ms", "u64", ""),
        "flag" => ("yes", "bool", ""),
        "count" => (name.as_str(), "u32", ""),
        _ => (name.as_str(), "f64", ""),
    };
    let read = match option.kind.as_str() {
        "secret" | "endpoint" | "text" | "url" => format!(
            "        // SAFETY: the header asks for a string or NULL.\n        let {name} = unsafe {{ text({name}, \"{name}\") }}?;\n"
        ),
        "path" => "        // SAFETY: the header asks for a string or NULL.\n        let file = unsafe { path(file, \"file\") }?;\n".to_owned(),
        _ => String::new(),
    };
    let set = match option.kind.as_str() {
        // A path need not be text.
        "path" => format!("step(\"{name}\", \"{function}\", move |builder| builder.{name}(file.clone()))"),
        "seconds" => format!("set(\"{name}\", \"{function}\", seconds(ms))"),
        _ => format!("set(\"{name}\", \"{function}\", {parameter})"),
    };
    text.push('\n');
    text.push_str(&comment(&option.documentation(Language::C), "", "///"));
    let _ = write!(
        text,
        "#[unsafe(no_mangle)]\npub {unsafety}extern \"C\" fn {function}(\n    options: Option<&mut {owner}>,\n    {parameter}: {kind},\n    \
         err: Option<&mut MaybeUninit<Box<jfai_error>>>,\n) -> jfai_status {{\n    guard!(err => {{\n{read}        \
         need(options, \"options\")?.{set};\n        Ok(())\n    }})\n}}\n"
    );
}
