//! The types of options in TypeScript, and their names for the check of what a caller gives.

use std::fmt::Write as _;

use super::table::{Group, Language, Opt, Table, comment};

pub(super) fn types(table: &Table) -> String {
    let mut text = "/** Written from core/options.toml by `make options`; do not edit. */\n\
        import type { ImageInput, JournalFile, JournalStore, LogEntry, Progress } from \"./values.js\";\n"
        .to_owned();
    for (group, interface, about) in [
        (&table.client, "ClientOptions", "Options of a client."),
        (&table.request, "VideoRequest", "What the video is to be; a string is a prompt."),
        (&table.wait, "WaitOptions", "Options of a wait."),
        (&table.save, "SaveOptions", "Options of a save."),
    ] {
        let _ = write!(text, "\n/** {about} */\nexport interface {interface} {{\n");
        for option in options(group) {
            let lines = comment(&option.documentation(Language::Js), "", "");
            let lines: Vec<_> = lines.lines().map(str::trim).collect();
            let _ = writeln!(text, "  /** {} */", lines.join("\n   * "));
            let _ = writeln!(text, "  {}?: {} | undefined;", option.name_in(Language::Js), kind(option));
        }
        text.push_str("}\n");
        let names: Vec<_> = options(group).map(|option| format!("\"{}\"", option.name_in(Language::Js))).collect();
        let mut line = String::new();
        let _ = write!(text, "\n/** @internal */\nexport const {} = [\n", group.name.to_uppercase());
        for name in names {
            if line.len() + name.len() > 110 {
                let _ = writeln!(text, "  {}", line.trim_end());
                line.clear();
            }
            let _ = write!(line, "{name}, ");
        }
        let _ = write!(text, "  {}\n] as const;\n", line.trim_end());
    }
    text
}

/// The callback of a wait is a parameter of `wait` and `generate` alone: `watch` has none.
fn options(group: &Group) -> impl Iterator<Item = &Opt> {
    group.of(Language::Js).filter(|option| !(group.name == "wait" && option.kind == "callback"))
}

fn kind(option: &Opt) -> &str {
    if let Some(kind) = &option.js.kind {
        return kind;
    }
    match option.kind.as_str() {
        "secret" | "endpoint" | "text" | "path" => "string",
        "url" => "string | URL",
        "texts" => "readonly string[]",
        "seconds" | "number" | "count" | "bytes" => "number",
        "flag" => "boolean",
        "signal" => "AbortSignal | null",
        "image" => "ImageInput",
        "images" => "readonly ImageInput[]",
        "length" => "number | string",
        "json" => "Record<string, unknown>",
        "validate" => "\"strict\" | \"default\" | \"off\"",
        own => own,
    }
}
