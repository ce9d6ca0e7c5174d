//! Writes what every language says about options from the one table, core/options.toml.

mod c;
mod cpp;
mod guides;
mod proof;
mod python;
mod rust;
mod table;
mod typescript;

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::{Result, root};

/// A file that is written as a whole, or the part of one between two marks.
struct Target {
    path: &'static str,
    text: Text,
}

enum Text {
    Whole(String),
    /// As rustfmt writes it.
    Rust(String),
    /// Name of the part and its lines, once for each part.
    Parts(Vec<(String, String)>),
}

pub(crate) fn run(check: bool) -> Result {
    let table = table::read(&fs::read_to_string(root().join("core/options.toml"))?)?;
    let mut targets = vec![
        Target { path: "core/src/client/setters.rs", text: Text::Rust(rust::client(&table)) },
        Target { path: "core/src/calls/option_ranges.rs", text: Text::Rust(rust::ranges(&table)) },
        Target { path: "core/src/save/setters.rs", text: Text::Rust(rust::save(&table)) },
        Target { path: "bindings-python/src/signatures.rs", text: Text::Rust(python::signatures(&table)) },
        Target { path: "bindings-wasm/ts/option-types.ts", text: Text::Whole(typescript::types(&table)) },
        Target { path: "bindings-c/include/junfeiai.hpp", text: Text::Parts(cpp::parts(&table)) },
    ];
    for group in [&table.client, &table.wait, &table.save] {
        targets.push(Target { path: c::path(group), text: Text::Rust(c::setters(group)) });
    }
    targets.extend(guides::guides(&table));
    let mut stale = Vec::new();
    for Target { path, text } in targets {
        let file = root().join(path);
        let old = fs::read_to_string(&file).unwrap_or_default();
        let new = match text {
            Text::Rust(text) => formatted(&text)?,
            Text::Whole(text) => text,
            Text::Parts(parts) => {
                parts.iter().try_fold(old.clone(), |text, (name, lines)| between(&text, name, lines, path))?
            }
        };
        if old == new {
            continue;
        }
        if check {
            stale.push(path);
        } else {
            fs::write(&file, new)?;
            println!("wrote {path}");
        }
    }
    if !stale.is_empty() {
        let files = stale.join(", ");
        return Err(format!("{files}: not what core/options.toml says; run make options").into());
    }
    let proven = proof::prove(&table)?;
    println!("{proven} passed, 0 failed");
    Ok(())
}

/// As rustfmt writes it.
fn formatted(text: &str) -> Result<String> {
    let mut command = Command::new("rustfmt");
    command.args(["--edition", "2024", "--config-path"]).arg(root()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut rustfmt = command.spawn().map_err(|error| format!("rustfmt cannot be run: {error}"))?;
    if let Some(mut input) = rustfmt.stdin.take() {
        input.write_all(text.as_bytes())?;
    }
    let output = rustfmt.wait_with_output()?;
    if !output.status.success() {
        return Err("rustfmt does not take what is to be written".into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// The text with other lines between the mark that begins this part and the one that ends it.
fn between(text: &str, name: &str, lines: &str, path: &str) -> Result<String> {
    let begin = format!("options: {name}");
    let missing = || format!("{path}: the marks of the part {name:?} are missing");
    let start = text.lines().position(|line| line.trim_end_matches(" -->").ends_with(&begin)).ok_or_else(missing)?;
    let rest = text.lines().skip(start + 1);
    let length = rest.clone().position(|line| line.contains("options: end")).ok_or_else(missing)?;
    let mut new: Vec<&str> = text.lines().take(start + 1).collect();
    new.extend(lines.lines());
    new.extend(rest.skip(length));
    Ok(new.join("\n") + "\n")
}
