//! The tables of options in the guides.

use super::table::{Group, Language, Opt, Table, Words};
use super::{Target, Text, c};

pub(super) fn guides(table: &Table) -> Vec<Target> {
    let mut targets = Vec::new();
    for (path, language, words) in [
        ("core/README.md", Language::Rust, Words::English),
        ("core/README.zh-CN.md", Language::Rust, Words::Chinese),
        ("bindings-python/README.md", Language::Python, Words::English),
        ("bindings-python/README.zh-CN.md", Language::Python, Words::Chinese),
        ("bindings-wasm/README.md", Language::Js, Words::English),
        ("bindings-wasm/README.zh-CN.md", Language::Js, Words::Chinese),
        ("bindings-c/README.md", Language::C, Words::English),
        ("bindings-c/README.zh-CN.md", Language::C, Words::Chinese),
    ] {
        let groups = [&table.client, &table.request, &table.wait, &table.save];
        // Rust's request is a record with documented fields.
        let groups = groups.into_iter().filter(|group| language != Language::Rust || group.name != "request");
        let parts = groups.map(|group| (group.name.to_owned(), rows(group, language, words))).collect();
        targets.push(Target { path, text: Text::Parts(parts) });
    }
    targets
}

fn rows(group: &Group, language: Language, words: Words) -> String {
    let head = match (language, words) {
        (Language::Rust, Words::English) => "| setter | JSON | default | |\n|---|---|---|---|\n",
        (Language::Rust, Words::Chinese) => "| 方法 | JSON | 默认 | |\n|---|---|---|---|\n",
        (Language::C, Words::English) => "| function | default | |\n|---|---|---|\n",
        (Language::C, Words::Chinese) => "| 函数 | 默认 | |\n|---|---|---|\n",
        (_, Words::English) => "| option | default | |\n|---|---|---|\n",
        (_, Words::Chinese) => "| 选项 | 默认 | |\n|---|---|---|\n",
    };
    let shown = |option: &&Opt| option.is_in(language) || language == Language::Rust && option.is_in(Language::Json);
    let row = |option: &Opt| {
        let name = match language {
            Language::C => format!("`{}`", c::function(group, option)),
            Language::Rust if !option.is_in(Language::Rust) => String::new(),
            _ => format!("`{}`", option.name_in(language)),
        };
        let json = match language {
            Language::Rust if option.is_in(Language::Json) && has_json(option) => format!(" `{}` |", option.name),
            Language::Rust => " |".to_owned(),
            _ => String::new(),
        };
        let default = option.default_in(language, words).unwrap_or_default();
        let text = option.text(language, words).replace('|', "\\|");
        format!("| {name} |{json} {default} | {text} |\n").replace("|  |", "| |")
    };
    head.to_owned() + &group.options.iter().filter(shown).map(row).collect::<String>()
}

/// What JSON can hold.
fn has_json(option: &Opt) -> bool {
    !matches!(option.kind.as_str(), "callback" | "signal")
}
