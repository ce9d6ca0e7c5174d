//! `xtask-wasm INPUT.wasm OUTPUT-FOLDER [PART=EXPORT,EXPORT… …]`: writes the glue and the wasm that belongs to it. A library of the
//! same version as the `wasm-bindgen` that was compiled in can never mismatch, as a tool installed somewhere does.
//!
//! With parts the module is also written in pieces: `first_bg.wasm`, and for each part `PART_bg.wasm`, with these exports and all that
//! only they need, or they and those of the parts behind it. A part is loaded when one of its exports is first called, after the parts in
//! front of it. All work on the memory and the function table of the first, so they are one program with one state. The input
//! needs its relocations for that: `-Clink-arg=--emit-relocs`.
//!
//! `names.json` has the short names that imports and exports were given, as `{"imports": [[module, long, short]], "exports": [[long, short]]}`.

mod names;
mod reachable;
mod split;

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use walrus::ModuleConfig;
use wasm_bindgen_cli_support::Bindgen;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(input), Some(output)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: xtask-wasm INPUT.wasm OUTPUT-FOLDER [PART=EXPORT,EXPORT… …]");
        return ExitCode::from(2);
    };
    match generate(&input, Path::new(&output), &arguments.collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn generate(input: &str, output: &Path, parts: &[String]) -> Result<()> {
    let mut bindgen = Bindgen::new();
    bindgen
        .web(true)?
        .input_path(input)
        .out_name("junfeiai")
        .typescript(true)
        // The package names the wasm file itself, in the way that each platform likes.
        .omit_default_module_path(true)
        // After a panic the module starts over.
        .reset_state_function(true)
        // What belongs to which part is known by name.
        .remove_name_section(false)
        .demangle(false)
        .remove_producers_section(true)
        .generate(output)?;
    let made = output.join("junfeiai_bg.wasm");
    let mut config = ModuleConfig::new();
    config.generate_producers_section(false);
    let mut whole = config.parse_file(&made)?;
    for section in ["linking", "reloc.CODE", "reloc.DATA"] {
        whole.customs.remove_raw(section);
    }
    let mut names = names::shorten(&mut whole);
    std::fs::write(output.join("names.json"), names.to_json())?;
    let mut bytes = whole.emit_wasm();
    std::fs::write(&made, &bytes)?;
    if parts.is_empty() {
        return Ok(());
    }
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    // No short name begins with it.
    let build = format!("_{:08x}", hasher.finish() as u32);
    let linked = std::fs::read(input)?;
    let (mut later, mut elsewhere) = (Vec::new(), Vec::new());
    for part in parts.iter().rev() {
        let (name, exports) = part.split_once('=').context("a part is written NAME=EXPORT,EXPORT…")?;
        let exports: Vec<String> = exports.split(',').map(str::to_owned).collect();
        later.extend(exports.iter().cloned());
        let apart = reachable::only_from(&linked, &later, &elsewhere)?;
        elsewhere.extend(apart.data.iter().cloned());
        let parse = || config.parse(&bytes);
        let (mut first, mut second) = split::split(&parse, &apart, &names.of(&exports)?, &mut names, &build)?;
        second.emit_wasm_file(output.join(format!("{name}_bg.wasm")))?;
        bytes = first.emit_wasm();
    }
    std::fs::write(output.join("first_bg.wasm"), bytes)?;
    Ok(())
}
