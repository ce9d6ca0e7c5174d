//! The parameters of Python's calls: names, types and signatures.

use std::fmt::Write as _;

use super::table::{Group, Language, Opt, Table};

pub(super) fn signatures(table: &Table) -> String {
    let mut text = "//! Parameters of the calls that have many.\n//!\n\
        //! Written from core/options.toml by `make options`; do not edit.\n\n\
        use crate::parameter_kind::Kind;\n"
        .to_owned();
    for group in [&table.client, &table.wait, &table.save] {
        let options: Vec<_> = group.of(Language::Python).filter_map(|option| Some((option, kind(option)?))).collect();
        let _ = write!(
            text,
            "\n/// The options of a {} that core reads, by its name.\npub(crate) const {}_OPTIONS: &[(&str, Kind)] = &[\n",
            group.name,
            group.name.to_uppercase()
        );
        for (option, kind) in options {
            let _ = writeln!(text, "    (\"{}\", Kind::{kind}),", option.name);
        }
        text.push_str("];\n");
    }
    let fields: Vec<_> = table.request.of(Language::Python).map(|option| format!("\"{}\"", option.name)).collect();
    let _ = write!(
        text,
        "\n/// The arguments that describe a video.\npub(crate) const REQUEST_FIELDS: &[&str] = &[{}];\n",
        fields.join(", ")
    );
    let request = names(&table.request);
    let wait = names(&table.wait);
    let check_save: Vec<_> = table.save.of(Language::Python).filter(|option| option.kind != "callback").collect();
    let save: Vec<_> = table.save.of(Language::Python).collect();
    let keywords: Vec<_> = table.request.of(Language::Python).filter(|option| !option.python.position).collect();
    let waits: Vec<_> = table.wait.of(Language::Python).collect();
    let both: Vec<_> = keywords.iter().chain(&waits).copied().collect();
    let _ = write!(
        text,
        "\n/// Hands the parameters to `classes!`: names, and the signature that Python shows, whose defaults are core's.\n\
         macro_rules! with_signatures {{\n    ($($rest:tt)*) => {{\n        classes! {{\n"
    );
    for (name, line) in [
        (
            "client",
            format!(
                "[{}] \"(*, {})\"",
                names(&table.client),
                shown(&table.client.of(Language::Python).collect::<Vec<_>>())
            ),
        ),
        ("request", format!("[{request}] \"($self, prompt='', *, {})\"", shown(&keywords))),
        ("create", format!("\"($self, prompt='', *, {}, timeout=None)\"", shown(&keywords))),
        ("generate", format!("[{wait}] \"($self, prompt='', *, {})\"", shown(&both))),
        ("wait", format!("\"($self, *, {})\"", shown(&waits))),
        ("save", format!("[{}] \"($self, path, *, {})\"", list(&save), shown(&save))),
        ("check_save", format!("[{}] \"($self, path, *, {})\"", list(&check_save), shown(&check_save))),
    ] {
        let _ = writeln!(text, "            {name}: {line};");
    }
    text.push_str("            $($rest)*\n        }\n    };\n}\npub(crate) use with_signatures;\n");
    text
}

fn kind(option: &Opt) -> Option<&'static str> {
    Some(match option.kind.as_str() {
        "secret" | "endpoint" | "text" | "url" => "Text",
        "texts" => "Texts",
        "headers" => "Headers",
        "path" => "Path",
        "seconds" | "number" => "Number",
        "count" => "Int",
        "flag" => "Bool",
        _ => return None,
    })
}

fn names(group: &Group) -> String {
    list(&group.of(Language::Python).filter(|option| !option.python.position).collect::<Vec<_>>())
}

fn list(options: &[&Opt]) -> String {
    options.iter().map(|option| option.name.as_str()).collect::<Vec<_>>().join(" ")
}

fn shown(options: &[&Opt]) -> String {
    let one = |option: &&Opt| {
        format!("{}={}", option.name, option.literal(Language::Python).unwrap_or_else(|| "None".to_owned()))
    };
    options.iter().map(one).collect::<Vec<_>>().join(", ")
}
