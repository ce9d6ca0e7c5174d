//! The setters of C++, parts of junfeiai.hpp: one style for every kind of options.

use std::fmt::Write as _;

use super::c;
use super::table::{Group, Language, Opt, Table};

pub(super) fn parts(table: &Table) -> Vec<(String, String)> {
    let mut parts = vec![("client".to_owned(), handle(&table.client))];
    for group in [&table.wait, &table.save] {
        parts.push((group.name.to_owned(), values(group)));
        parts.push((format!("{} fields", group.name), fields(group)));
        parts.push((format!("{} to C", group.name), to_c(group)));
    }
    parts
}

fn generated(group: &Group) -> impl Iterator<Item = &Opt> {
    group.of(Language::Cpp).filter(|option| !option.cpp.own)
}

fn parameter(option: &Opt) -> &'static str {
    match option.kind.as_str() {
        "secret" | "endpoint" | "text" | "url" => "text_view",
        "path" => "const std::filesystem::path &",
        "seconds" => "milliseconds",
        "flag" => "bool",
        "count" => "std::uint32_t",
        _ => "std::uint64_t",
    }
}

/// `T v`, and `T &v` where the type is a reference.
fn argument(option: &Opt) -> String {
    let kind = parameter(option);
    if kind.ends_with('&') { format!("{kind}v") } else { format!("{kind} v") }
}

fn comment(option: &Opt) -> String {
    super::table::comment(&option.documentation(Language::Cpp), "", "")
        .lines()
        .enumerate()
        .map(|(number, line)| if number == 0 { format!("  /**{line}") } else { format!("\n   *{line}") })
        .collect::<String>()
        + " */\n"
}

/// Setters that hand the value to C at once.
fn handle(group: &Group) -> String {
    let mut text = String::new();
    for option in generated(group) {
        let (name, function) = (option.name_in(Language::Cpp), c::function(group, option));
        let set = match option.kind.as_str() {
            "secret" | "endpoint" | "text" | "url" => format!("set({function}, \"{name}\", v)"),
            "path" => format!("set({function}, \"{name}\", detail::path(v, \"{name}\"))"),
            "seconds" => format!("value({function}, detail::ms(v, \"{name}\"))"),
            _ => format!("value({function}, v)"),
        };
        text.push_str(&comment(option));
        let _ = writeln!(text, "  {}_options &{name}({}) {{ return {set}; }}", group.name, argument(option));
    }
    text
}

/// Setters of options that can be copied: C has them when a call is made.
fn values(group: &Group) -> String {
    let mut text = String::new();
    for option in generated(group) {
        let name = option.name_in(Language::Cpp);
        let value = if option.kind == "seconds" { format!("detail::ms(v, \"{name}\")") } else { "v".to_owned() };
        text.push_str(&comment(option));
        let _ = write!(
            text,
            "  {}_options &{name}({}) {{\n    {name}_ = {value};\n    return *this;\n  }}\n",
            group.name,
            argument(option)
        );
    }
    text
}

fn fields(group: &Group) -> String {
    let mut text = String::new();
    for option in generated(group) {
        let kind = if option.kind == "seconds" { "std::uint64_t" } else { parameter(option) };
        let _ = writeln!(text, "  std::optional<{kind}> {}_;", option.name_in(Language::Cpp));
    }
    text
}

fn to_c(group: &Group) -> String {
    let mut text = String::new();
    for option in generated(group) {
        let (name, function) = (option.name_in(Language::Cpp), c::function(group, option));
        let _ = write!(
            text,
            "    if (options.{name}_)\n      done([&](jfai_error **e) {{ return {function}(out, *options.{name}_, e); }});\n"
        );
    }
    text
}
