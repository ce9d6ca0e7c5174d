//! What is written by hand is there, nothing is there that the table does not have, and the scenarios try what is refused.

use std::fs;

use super::c;
use super::table::{Group, Language, Table};
use crate::{Result, root};

/// Gives how many facts were looked at.
pub(super) fn prove(table: &Table) -> Result<usize> {
    let source = |path: &str| fs::read_to_string(root().join(path));
    let groups = [&table.client, &table.request, &table.wait, &table.save];
    let mut looked = 0;
    let mut wrong = Vec::new();

    let header = source("bindings-c/include/junfeiai.h")?;
    let wrapper = source("bindings-c/include/junfeiai.hpp")?;
    let builders = [
        ("client", "core/src/client/builder.rs"),
        ("wait", "core/src/client/task.rs"),
        ("save", "core/src/save/file.rs"),
    ];
    for group in groups {
        for option in group.of(Language::C) {
            for function in c::function(group, option).split("`, `") {
                looked += 1;
                if !header.contains(&format!("{function}(")) {
                    wrong.push(format!("C has no {function}"));
                }
            }
        }
        if group.name != "request" {
            for option in group.of(Language::Cpp).filter(|option| option.cpp.own) {
                let name = option.name_in(Language::Cpp);
                looked += 1;
                if !wrapper.contains(&format!("{}_options &{name}(", group.name)) {
                    wrong.push(format!("C++ has no {}_options::{name}", group.name));
                }
            }
        }
        for function in setters_of_c(&header, group) {
            looked += 1;
            if !group
                .of(Language::C)
                .any(|option| c::function(group, option).split("`, `").any(|known| known == function))
            {
                wrong.push(format!("{function} is not in core/options.toml"));
            }
        }
    }
    for (name, path) in builders {
        let text = source(path)?;
        let Some(group) = groups.into_iter().find(|group| group.name == name) else { continue };
        for option in group.of(Language::Rust).filter(|option| option.rust.own) {
            let name = option.name_in(Language::Rust);
            looked += 1;
            if !text.contains(&format!("pub fn {name}(mut self")) {
                wrong.push(format!("{path} has no {name}"));
            }
        }
    }
    // Whatever has a range is tried with a value outside of it, in every language.
    let scenarios = source("tests/scenarios/option_values.json")?;
    for group in groups {
        for option in group.of(Language::Json).filter(|option| option.range.is_some()) {
            looked += 1;
            if !scenarios.contains(&format!("\"field\": \"{}\"", option.name)) {
                wrong.push(format!("tests/scenarios/option_values.json: no value of {} is refused", option.name));
            }
        }
    }
    if wrong.is_empty() { Ok(looked) } else { Err(wrong.join("\n").into()) }
}

/// The functions of the header that set options of this group.
fn setters_of_c<'a>(header: &'a str, group: &Group) -> Vec<&'a str> {
    let prefix =
        if group.name == "request" { "jfai_request_".to_owned() } else { format!("jfai_{}_options_", group.name) };
    let mut found: Vec<_> = header
        .match_indices(&prefix)
        .filter_map(|(at, _)| header.get(at..)?.split_once('(').map(|(name, _)| name))
        .filter(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
        .filter(|name| {
            let verb = name.trim_start_matches(prefix.as_str());
            ["set_", "add_", "trust_", "use_"].iter().any(|begin| verb.starts_with(begin))
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}
