//! The version: chosen in Cargo.toml, repeated in few other files. Here they are edited, and compared.
//!
//! The comparison of the READMEs names the version that was measured; it changes with the next measurement. What has
//! the numbers that say what fits together in its name, such as the shared library, is written without them in guides and tests.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::{Result, files};

#[derive(Args)]
pub(crate) struct Options {
    /// The new version, such as 0.2.0.
    #[arg(required_unless_present = "check", conflicts_with = "check")]
    version: Option<String>,
    /// The day of the release for the changelog, such as 2026-12-31.
    #[arg(long, required_unless_present = "check")]
    date: Option<String>,
    /// Only says whether all places name the same version.
    #[arg(long)]
    check: bool,
    /// With --check: this is the tag of a release, which the version and the changelog have to match.
    #[arg(long, requires = "check")]
    tag: Option<String>,
}

/// What is followed by the numbers that say what fits together: nothing changes these where they are written out.
const NAMED_AFTER: [&str; 4] = ["find_package(junfeiai ", "libjunfeiai.so.", "libjunfeiai.", "JUNFEIAI_"];

/// What names versions of the past.
const HISTORY: [&str; 2] = ["CHANGELOG.md", "tests/bench/RESULTS.md"];

/// A place that repeats the version: what stands right in front of it.
struct Place {
    file: String,
    before: String,
    value: String,
    after: &'static str,
}

pub(crate) fn run(root: &Path, options: &Options) -> Result {
    let manifest = fs::read_to_string(root.join("Cargo.toml"))?;
    let current =
        quoted(&manifest, "\nversion = \"").ok_or("Cargo.toml: [workspace.package] has no version")?.to_owned();
    if let (Some(version), Some(date)) = (&options.version, &options.date) {
        bump(root, &current, version, date)?;
        println!("the version was {current} and is {version}");
        return Ok(());
    }
    let problems = problems(root, &current, options.tag.as_deref())?;
    if problems.is_empty() {
        println!("every place names {current}");
        return Ok(());
    }
    Err(format!("the version is {current}; run make bump VERSION={current}, or correct:\n  {}", problems.join("\n  "))
        .into())
}

fn bump(root: &Path, current: &str, version: &str, date: &str) -> Result {
    numbers(version)?;
    if !is_date(date) {
        return Err(format!("{date:?} is not a day such as 2026-12-31").into());
    }
    let path = root.join("CHANGELOG.md");
    let log = fs::read_to_string(&path)?;
    if log.contains(&format!("\n## {version} ")) {
        return Err(format!("CHANGELOG.md has {version} already").into());
    }
    let head = "\n## Unreleased\n";
    if !log.contains(head) {
        return Err("CHANGELOG.md has no heading \"## Unreleased\"".into());
    }
    // Judged before anything is written.
    let places = places(root, current)?;
    let new_places = places_of(&places, version)?;
    for (old, new) in places.iter().zip(&new_places) {
        let path = root.join(&old.file);
        let text = fs::read_to_string(&path)?;
        let (from, to) = (old.text(), new.text());
        if !text.contains(&from) {
            return Err(format!("{}: {from:?} is not in it", old.file).into());
        }
        fs::write(&path, text.replacen(&from, &to, 1))?;
    }
    for lock in locks(root)? {
        let text = fs::read_to_string(&lock)?;
        let blocks: Vec<String> = text.split("\n\n").map(|block| locked_at(block, version)).collect();
        fs::write(&lock, blocks.join("\n\n"))?;
    }
    fs::write(&path, log.replacen(head, &format!("{head}\n## {version} - {date}\n"), 1))?;
    Ok(())
}

impl Place {
    fn text(&self) -> String {
        format!("{}{}{}", self.before, self.value, self.after)
    }
}

fn place(file: &str, before: &str, version: &str) -> Place {
    Place { file: file.to_owned(), before: before.to_owned(), value: version.to_owned(), after: "\"" }
}

/// Every place but the lock files and the changelog.
fn places(root: &Path, version: &str) -> Result<Vec<Place>> {
    let mut places = vec![
        place("Cargo.toml", "\nversion = \"", version),
        place("Cargo.toml", "\njunfeiai = { path = \"core\", version = \"", version),
        place("bindings-c/include/junfeiai.h", "\n#define JFAI_VERSION \"", version),
        place("bindings-c/packaging/vcpkg/junfeiai/vcpkg.json", "\n  \"version\": \"", version),
    ];
    for (name, number) in ["MAJOR", "MINOR", "PATCH"].into_iter().zip(numbers(version)?) {
        let before = format!("\n#define JFAI_VERSION_{name} ");
        places.push(Place { file: "bindings-c/include/junfeiai.h".to_owned(), before, value: number, after: "\n" });
    }
    // Other manifests that name a version of their own, where it is not a placeholder that the build fills in.
    for path in manifests(root)? {
        let file = path.strip_prefix(root)?.to_string_lossy().replace('\\', "/");
        let text = fs::read_to_string(&path)?;
        let before = if path.extension().is_some_and(|ending| ending == "toml") {
            "\nversion = \""
        } else {
            "\n  \"version\": \""
        };
        if quoted(&text, before).is_some_and(|found| found != "0.0.0") {
            places.push(place(&file, before, version));
        }
    }
    Ok(places)
}

fn places_of(places: &[Place], version: &str) -> Result<Vec<Place>> {
    let parts = numbers(version)?;
    let value = |place: &Place| {
        let names = ["_MAJOR ", "_MINOR ", "_PATCH "];
        let part = names.iter().position(|name| place.before.ends_with(name)).and_then(|index| parts.get(index));
        part.map_or_else(|| version.to_owned(), String::clone)
    };
    Ok(places
        .iter()
        .map(|one| Place { file: one.file.clone(), before: one.before.clone(), value: value(one), after: one.after })
        .collect())
}

/// The manifests of packages that other registries get, and of crates.
fn manifests(root: &Path) -> Result<Vec<PathBuf>> {
    let found = files::below(root)?;
    let ours = |path: &PathBuf| {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return false };
        match name {
            "Cargo.toml" => path.parent() != Some(root),
            "pyproject.toml" => true,
            "npm.json" | "package.json" => {
                fs::read_to_string(path).is_ok_and(|text| !text.contains("\"private\": true"))
            }
            _ => false,
        }
    };
    Ok(found.into_iter().filter(ours).collect())
}

fn locks(root: &Path) -> Result<Vec<PathBuf>> {
    Ok(files::below(root)?.into_iter().filter(|path| path.ends_with("Cargo.lock")).collect())
}

/// A block of a lock file; one of our own packages, which come from no registry, with the version.
fn locked_at(block: &str, version: &str) -> String {
    match locked(block) {
        Some(old) => block.replacen(&format!("\nversion = \"{old}\""), &format!("\nversion = \"{version}\""), 1),
        None => block.to_owned(),
    }
}

/// The version of a block of a lock file, where it is one of our own packages and has one.
fn locked(block: &str) -> Option<&str> {
    let ours = block.contains("[[package]]") && !block.contains("\nsource = ");
    quoted(block, "\nversion = \"").filter(|version| ours && *version != "0.0.0")
}

fn problems(root: &Path, current: &str, tag: Option<&str>) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    for place in places(root, current)? {
        let text = fs::read_to_string(root.join(&place.file))?;
        if !text.contains(&place.text()) {
            problems.push(format!("{}: {:?} is not in it", place.file, place.text().trim()));
        }
    }
    for lock in locks(root)? {
        let text = fs::read_to_string(&lock)?;
        let others = text.split("\n\n").filter(|block| locked(block).is_some_and(|version| version != current));
        for name in others.filter_map(|block| quoted(block, "\nname = \"")) {
            problems.push(format!("{}: {name} has another version", lock.strip_prefix(root)?.display()));
        }
    }
    let pyproject = fs::read_to_string(root.join("bindings-python/pyproject.toml"))?;
    if !pyproject.contains("\ndynamic = [\"version\"]\n") {
        problems.push("bindings-python/pyproject.toml: its version is not that of Cargo.toml (dynamic)".to_owned());
    }
    let npm = fs::read_to_string(root.join("bindings-wasm/npm.json"))?;
    if !npm.contains("\n  \"version\": \"0.0.0\",") {
        problems.push("bindings-wasm/npm.json: the build fills its version in, 0.0.0 has to be there".to_owned());
    }
    problems.extend(written_out(root)?);
    let log = fs::read_to_string(root.join("CHANGELOG.md"))?;
    let released = log.lines().find_map(|line| line.strip_prefix("## ").filter(|rest| *rest != "Unreleased"));
    let released = released.and_then(|rest| rest.split(' ').next());
    if released.is_some_and(|version| version != current) {
        problems.push("CHANGELOG.md: its newest release is another one".to_owned());
    }
    if let Some(tag) = tag {
        if tag != format!("v{current}") {
            problems.push(format!("the tag {tag} is not v{current}"));
        }
        if released.is_none() {
            problems.push(format!("CHANGELOG.md has no heading \"## {current} - DATE\""));
        }
    }
    Ok(problems)
}

/// Lines that are right for one version only, and that no bump changes.
fn written_out(root: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for path in files::below(root)? {
        let file = path.strip_prefix(root)?.to_string_lossy().replace('\\', "/");
        if HISTORY.contains(&file.as_str()) {
            continue;
        }
        // Pictures and archives are no text.
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for (index, line) in text.lines().enumerate().filter(|(_, line)| names_a_version(line)) {
            found.push(format!("{file}:{}: {:?} has a number that no bump changes", index + 1, line.trim()));
        }
    }
    Ok(found)
}

/// Whether a number is written out there. A variable, or a word such as MINOR, may follow `0.`.
fn names_a_version(line: &str) -> bool {
    let number = |rest: &str| rest.strip_prefix("0.").unwrap_or(rest).starts_with(|one: char| one.is_ascii_digit());
    NAMED_AFTER.iter().any(|name| line.split(*name).skip(1).any(number))
}

/// What stands between this and the next quotation mark.
fn quoted<'text>(text: &'text str, before: &str) -> Option<&'text str> {
    text.split_once(before)?.1.split('"').next()
}

/// The three numbers of a version. The C header and the names of libraries are made of them, so there is nothing beside them.
fn numbers(version: &str) -> Result<Vec<String>> {
    let parts: Vec<String> = version.split('.').map(str::to_owned).collect();
    let plain = |part: &String| part.parse::<u32>().is_ok_and(|number| number.to_string() == *part);
    if parts.len() == 3 && parts.iter().all(plain) {
        return Ok(parts);
    }
    Err(format!("a version is three numbers, such as 0.2.0; this is {version:?}").into())
}

fn is_date(text: &str) -> bool {
    let digits = |part: &str, length: usize| part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = text.split('-').collect();
    matches!(parts[..], [year, month, day] if digits(year, 4) && digits(month, 2) && digits(day, 2))
}
