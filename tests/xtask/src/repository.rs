//! Where the sources are published: known when a release is made, not before.
//!
//! The pages of registries show a README without the files beside it, so links to them must be whole addresses; npm checks
//! that a package names the repository whose workflow made it. The working tree is edited for the packages that are built
//! next; nothing of it is committed.

use std::fmt::Write as _;
use std::fs;
use std::path::{Component, Path, PathBuf};

use clap::Args;

use crate::Result;

#[derive(Args)]
pub(crate) struct Options {
    /// The repository's address, such as `https://example.org/owner/name`.
    url: String,
    /// The tag or commit that links point to.
    #[arg(long = "ref")]
    reference: String,
}

/// The guides that registries show.
const GUIDES: [&str; 3] = ["core", "bindings-python", "bindings-wasm"];

pub(crate) fn run(root: &Path, options: &Options) -> Result {
    let url = options.url.trim_end_matches('/').trim_end_matches(".git");
    if !url.starts_with("https://") || url.contains(['"', '\\', ' ', ')']) {
        return Err(format!("{url:?} is not the https address of a repository").into());
    }
    if options.reference.is_empty() || options.reference.contains(['"', '\\', ' ', ')']) {
        return Err(
            format!("--ref (REF) is the tag or commit that links point to, and not {:?}", options.reference).into()
        );
    }
    insert(root, "Cargo.toml", "\nhomepage = \"https://junfeiai.com\"\n", &format!("repository = \"{url}\"\n"))?;
    insert(root, "core/Cargo.toml", "\nhomepage.workspace = true\n", "repository.workspace = true\n")?;
    insert(
        root,
        "bindings-python/pyproject.toml",
        "\nHomepage = \"https://junfeiai.com\"\n",
        &format!("Repository = \"{url}\"\n"),
    )?;
    let npm = format!(
        "  \"repository\": {{ \"type\": \"git\", \"url\": \"git+{url}.git\", \"directory\": \"bindings-wasm\" }},\n"
    );
    insert(root, "bindings-wasm/npm.json", "\n  \"homepage\": \"https://junfeiai.com\",\n", &npm)?;
    for folder in GUIDES {
        for name in ["README.md", "README.zh-CN.md"] {
            let file = format!("{folder}/{name}");
            let path = root.join(&file);
            let text = fs::read_to_string(&path)?;
            fs::write(&path, absolute(root, folder, &text, &format!("{url}/blob/{}", options.reference))?)?;
            println!("wrote {file}");
        }
    }
    Ok(())
}

/// Puts a line behind another one; once.
fn insert(root: &Path, file: &str, behind: &str, line: &str) -> Result {
    let path = root.join(file);
    let text = fs::read_to_string(&path)?;
    if text.contains(line) {
        return Ok(());
    }
    if !text.contains(behind) {
        return Err(format!("{file}: {:?} is not in it", behind.trim()).into());
    }
    fs::write(&path, text.replacen(behind, &format!("{behind}{line}"), 1))?;
    println!("wrote {file}");
    Ok(())
}

/// The text with whole addresses in place of links to files beside it. Code blocks stay as they are.
fn absolute(root: &Path, folder: &str, text: &str, base: &str) -> Result<String> {
    let mut out = String::new();
    let mut code = false;
    for line in text.split_inclusive('\n') {
        if line.trim_start().starts_with("```") {
            code = !code;
        }
        if code {
            out.push_str(line);
            continue;
        }
        let mut rest = line;
        while let Some((before, after)) = rest.split_once("](") {
            let Some((link, behind)) = after.split_once(')') else { break };
            out.push_str(before);
            out.push_str("](");
            if link.starts_with('#') || link.contains("://") || link.starts_with("mailto:") {
                out.push_str(link);
            } else {
                let (path, part) =
                    link.split_once('#').map_or((link, String::new()), |(path, part)| (path, format!("#{part}")));
                let path = resolved(folder, path)?;
                if !root.join(&path).exists() {
                    return Err(format!("{folder}: the link {link} leads nowhere").into());
                }
                let path = path.to_string_lossy().replace('\\', "/");
                write!(out, "{base}/{path}{part}")?;
            }
            out.push(')');
            rest = behind;
        }
        out.push_str(rest);
    }
    Ok(out)
}

/// The path from the root of a link in a folder's guide.
fn resolved(folder: &str, link: &str) -> Result<PathBuf> {
    let mut path = PathBuf::new();
    for part in Path::new(folder).join(link).components() {
        match part {
            Component::Normal(name) => path.push(name),
            Component::ParentDir if path.pop() => {}
            Component::CurDir => {}
            _ => return Err(format!("{folder}: the link {link} leaves the repository").into()),
        }
    }
    Ok(path)
}
