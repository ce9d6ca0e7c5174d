//! The licence texts of what is linked into the packages, and copies of our own where a package is made.
//!
//! A package that is built from this repository holds code of other crates. Their licences ask that their texts come with it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::{Result, root};

/// Where packages are built for. What is linked only on other systems is not ours to list.
const NATIVE: [&str; 8] = [
    "x86_64-unknown-linux-gnu",
    "aarch64-unknown-linux-gnu",
    "x86_64-unknown-linux-musl",
    "aarch64-unknown-linux-musl",
    "x86_64-pc-windows-msvc",
    "x86_64-pc-windows-gnu",
    "x86_64-apple-darwin",
    "aarch64-apple-darwin",
];
const WASM: [&str; 1] = ["wasm32-unknown-unknown"];

/// A crate that is built into a package, the features that it is built with, and where the list of its parts is kept.
struct Package {
    name: &'static str,
    features: &'static [&'static str],
    targets: &'static [&'static str],
    list: &'static str,
}

const PACKAGES: [Package; 4] = [
    Package {
        name: "junfeiai-python",
        features: &[],
        targets: &NATIVE,
        list: "bindings-python/THIRD-PARTY-LICENSES.txt",
    },
    Package { name: "junfeiai-c", features: &[], targets: &NATIVE, list: "bindings-c/THIRD-PARTY-LICENSES.txt" },
    Package {
        name: "junfeiai-wasm",
        features: &["node"],
        targets: &WASM,
        list: "bindings-wasm/THIRD-PARTY-LICENSES.txt",
    },
    Package {
        name: "junfeiai-emulator",
        features: &[],
        targets: &NATIVE,
        list: "tests/emulator/THIRD-PARTY-LICENSES.txt",
    },
];

/// Folders that become packages by tools that take nothing from outside of them.
const COPIES: [&str; 3] = ["core", "bindings-python", "tests/emulator"];
const OWN: [&str; 2] = ["LICENSE-APACHE", "LICENSE-MIT"];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Crate>,
}

#[derive(Deserialize, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Crate {
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
    manifest_path: PathBuf,
}

pub(crate) fn run(check: bool) -> Result {
    let mut wanted: Vec<(String, String)> = Vec::new();
    for folder in COPIES {
        for name in OWN {
            wanted.push((format!("{folder}/{name}"), fs::read_to_string(root().join(name))?));
        }
    }
    let metadata: Metadata = serde_json::from_str(&cargo(&["metadata", "--locked", "--format-version", "1"])?)?;
    for package in PACKAGES {
        wanted.push((package.list.to_owned(), list(&package, &metadata)?));
    }
    let mut stale = Vec::new();
    for (file, new) in wanted {
        let path = root().join(&file);
        if fs::read_to_string(&path).is_ok_and(|old| old == new) {
            continue;
        }
        if check {
            stale.push(file);
        } else {
            fs::write(&path, new)?;
            println!("wrote {file}");
        }
    }
    if !stale.is_empty() {
        return Err(format!("{}: not the licences of what is built; run make licences", stale.join(", ")).into());
    }
    Ok(())
}

fn cargo(arguments: &[&str]) -> Result<String> {
    let output = crate::cargo().args(arguments).output()?;
    if !output.status.success() {
        return Err(format!("cargo {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// The crates that are linked into a package: neither tools of its build nor macros.
fn linked(package: &Package) -> Result<BTreeSet<(String, String)>> {
    let mut arguments = vec!["tree", "--locked", "--prefix", "none", "--no-dedupe", "--format", "{p}"];
    arguments.extend(["--edges", "normal,no-proc-macro", "--package", package.name]);
    for feature in package.features {
        arguments.extend(["--features", feature]);
    }
    for target in package.targets {
        arguments.extend(["--target", target]);
    }
    let said = cargo(&arguments)?;
    let names = said.lines().filter_map(|line| {
        let (name, version) = line.split_once(" v")?;
        Some((name.to_owned(), version.split(' ').next().unwrap_or(version).to_owned()))
    });
    Ok(names.collect())
}

fn list(package: &Package, metadata: &Metadata) -> Result<String> {
    let linked = linked(package)?;
    let mut crates: Vec<&Crate> = Vec::new();
    for one in &metadata.packages {
        if one.source.is_some() && linked.contains(&(one.name.clone(), one.version.clone())) {
            crates.push(one);
        }
    }
    crates.sort();
    let apache = fs::read_to_string(root().join("LICENSE-APACHE"))?;
    let mut rows = vec![("The Rust standard library".to_owned(), "MIT OR Apache-2.0".to_owned())];
    // Each text once, with the names of all that have it.
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    texts.entry(tidy(&apache)).or_default().push("the Rust standard library".to_owned());
    for one in crates {
        let licence = one.license.clone().ok_or_else(|| format!("{} names no licence", one.name))?;
        let name = format!("{} {}", one.name, one.version);
        let mut own = own_texts(one, &licence)?;
        if own.is_empty() {
            // Packages without a text: under the one that is the same for everybody.
            if !licence.contains("Apache-2.0") {
                return Err(format!("{name} comes without the text of its licence, {licence}").into());
            }
            own.push(apache.clone());
        }
        for text in own {
            texts.entry(tidy(&text)).or_default().push(name.clone());
        }
        rows.push((name, licence));
    }
    let mut out = String::from(
        "This package holds code of other projects, under the licences below. The texts follow the list.\n\
         Made by `make licences`; do not edit.\n\n",
    );
    for (name, licence) in rows {
        writeln!(out, "{name:<42}{licence}")?;
    }
    let mut texts: Vec<(Vec<String>, String)> = texts.into_iter().map(|(text, names)| (names, text)).collect();
    texts.sort();
    for (names, text) in texts {
        write!(out, "\n{}\n{}\n\n{text}\n", "=".repeat(80), wrapped(&names))?;
    }
    Ok(out)
}

/// The licence texts in a crate's package. Where its user may choose, the MIT one alone: it is short and names the authors.
fn own_texts(one: &Crate, licence: &str) -> Result<Vec<String>> {
    let folder = one.manifest_path.parent().unwrap_or(Path::new("."));
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let upper = name.to_uppercase();
        let is_text = ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE"]
            .iter()
            .any(|word| upper.starts_with(word));
        if entry.file_type()?.is_file() && is_text {
            names.push(name);
        }
    }
    names.sort();
    let choice = (licence.contains(" OR ") || licence.contains('/')) && !licence.contains(" AND ");
    let of_mit: Vec<String> = names
        .iter()
        .filter(|name| ["MIT", "COPYRIGHT", "NOTICE"].iter().any(|word| name.to_uppercase().contains(word)))
        .cloned()
        .collect();
    if choice && of_mit.iter().any(|name| name.to_uppercase().contains("MIT")) {
        names = of_mit;
    }
    names.iter().map(|name| Ok(String::from_utf8_lossy(&fs::read(folder.join(name))?).into_owned())).collect()
}

/// The same text, however its lines end.
fn tidy(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n").trim_matches('\n').to_owned()
}

/// Names in lines of a page's width.
fn wrapped(names: &[String]) -> String {
    let mut lines = vec![String::new()];
    for (index, name) in names.iter().enumerate() {
        let word = if index + 1 < names.len() { format!("{name}, ") } else { format!("{name}:") };
        if lines.last().is_some_and(|line| !line.is_empty() && line.len() + word.len() > 80) {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            line.push_str(&word);
        }
    }
    lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n")
}
