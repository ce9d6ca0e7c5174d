//! `xtask-wasm INPUT.wasm OUTPUT-FOLDER`: writes the glue and the wasm that belongs to it. A library of the same
//! version as the `wasm-bindgen` that was compiled in can never mismatch, as a tool installed somewhere does.

use std::process::ExitCode;

use wasm_bindgen_cli_support::Bindgen;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(input), Some(output)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: xtask-wasm INPUT.wasm OUTPUT-FOLDER");
        return ExitCode::from(2);
    };
    match generate(&input, &output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn generate(input: &str, output: &str) -> Result<(), Box<dyn std::error::Error>> {
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
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate(output)?;
    Ok(())
}
