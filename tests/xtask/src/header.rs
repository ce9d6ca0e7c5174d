//! `junfeiai.h`: cbindgen reads the functions, the core's table gives the numbers of the errors.

use std::fmt::Write as _;
use std::fs;

use cbindgen::{Builder, Config, DocumentationStyle, Language, Style};
use junfeiai::{ErrorKind, VERSION};

use crate::{Result, root};

mod reference;

/// The table of what only C can get wrong.
#[allow(dead_code, non_camel_case_types, unreachable_pub)]
#[path = "../../../bindings-c/src/status.rs"]
mod status;

const TOP: &str = "\
/**
 * @file junfeiai.h
 * libjunfeiai: creates JunFeiAI videos, waits for them and downloads them safely.
 *
 * The conventions are the section Conventions of bindings-c/README.md. In short:
 *
 *  - `jfai_status f(self, inputs..., outputs..., jfai_error **err)`: JFAI_OK, or a JFAI_ERR_ number and an error object in
 *    `*err` (for jfai_error_free(); `err` may be NULL). Outputs are written only on success.
 *  - Handles are opaque; each has its `_free`, and `_free(NULL)` does nothing.
 *  - A handle taken as `const` may be used by several threads at the same time; the others by one at a time.
 *  - Strings are UTF-8 with a NUL at the end. Those given are copied; those returned belong to their handle, and live as long.
 *  - `(NULL, 0)` is an empty slice; NULL elsewhere is JFAI_ERR_ARGUMENT unless the comment says that it may be NULL.
 *  - A handle from before fork() gives JFAI_ERR_FORKED in the child; make a new client there.
 *
 * This file is made by `make header` from bindings-c/src; do not edit it.
 */
/* SPDX-License-Identifier: Apache-2.0 OR MIT */";

const API: &str = "\
/** Marks the functions of the library. Define JFAI_STATIC where the static library is linked on Windows. */
#if defined(_WIN32) && !defined(JFAI_STATIC)
#define JFAI_API __declspec(dllimport)
#else
#define JFAI_API
#endif

/**
 * Marks the functions whose status must be looked at: a compiler warns where nobody does. Before C23 a cast to void silences clang,
 * but not gcc. Define it as nothing before this header is included to have no such warnings.
 */
#ifndef JFAI_NODISCARD
#if (defined(__cplusplus) && __cplusplus >= 201703L) || (defined(__STDC_VERSION__) && __STDC_VERSION__ >= 202311L)
#define JFAI_NODISCARD [[nodiscard]]
#elif defined(__GNUC__)
#define JFAI_NODISCARD __attribute__((warn_unused_result))
#else
#define JFAI_NODISCARD
#endif
#endif

/** As a time: without a limit. */
#define JFAI_FOREVER UINT64_MAX

/** jfai_version_check() of this header: call it first where the library is not shipped with the program. */
#define JFAI_VERSION_CHECK(err) jfai_version_check(JFAI_VERSION, (err))
";

pub(crate) fn run(check: bool) -> Result {
    let path = root().join("bindings-c/include/junfeiai.h");
    let new = generate()?;
    let old = fs::read_to_string(&path).unwrap_or_default();
    if check {
        if old != new {
            return Err(format!("{} is not what bindings-c/src says: run make header", path.display()).into());
        }
        println!("{} is up to date", path.display());
    } else if old != new {
        fs::write(&path, new)?;
        println!("wrote {}", path.display());
    }
    Ok(())
}

fn generate() -> Result<String> {
    let mut config = Config {
        language: Language::C,
        header: Some(TOP.to_owned()),
        include_guard: Some("JUNFEIAI_H".to_owned()),
        no_includes: true,
        sys_includes: ["stdbool.h", "stddef.h", "stdint.h"].map(str::to_owned).to_vec(),
        after_includes: Some(after_includes()?),
        cpp_compat: true,
        style: Style::Both,
        usize_is_size_t: true,
        documentation_style: DocumentationStyle::Doxy,
        ..Config::default()
    };
    config.function.prefix = Some("JFAI_API".to_owned());
    config.export.exclude.push("jfai_test_panic".to_owned());
    // Without cargo: the modules of the crate are found from its lib.rs.
    let source = root().join("bindings-c/src");
    let lib = fs::read_to_string(source.join("lib.rs"))?;
    let mut builder = Builder::new().with_config(config);
    let mut known = reference::Source::new();
    for module in lib.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';')) {
        let path = source.join(module).with_extension("rs");
        known.read(module, &fs::read_to_string(&path)?);
        builder = builder.with_src(path);
    }
    let mut text = Vec::new();
    builder.generate()?.write(&mut text);
    reference::finish(std::str::from_utf8(&text)?, &known)
}

fn after_includes() -> Result<String> {
    let mut text = String::new();
    let mut numbers = VERSION.split('.');
    writeln!(text, "\n/** The version of this header; jfai_version() says that of the library. */")?;
    writeln!(text, "#define JFAI_VERSION \"{VERSION}\"")?;
    for name in ["MAJOR", "MINOR", "PATCH"] {
        let number = numbers.next().unwrap_or("0");
        writeln!(text, "/** {name} of the version. */\n#define JFAI_VERSION_{name} {number}")?;
    }
    writeln!(text, "\n{API}\n{}", reference::definitions()?)?;
    writeln!(
        text,
        "/**\n * What a function returns: the kinds of errors, with the same numbers and names in every language. New ones may come.\n \
         * @ingroup junfeiai_errors\n */"
    )?;
    writeln!(text, "enum jfai_status_code {{\n  /** It worked. */\n  JFAI_OK = 0,")?;
    let own = status::OWN.iter().map(|(number, name, next)| (*number, *name, *next));
    let core = ErrorKind::ALL.iter().map(|kind| (i32::from(kind.number()), kind.name(), kind.next_step()));
    for (number, name, next) in own.chain(core) {
        let end = if next.ends_with('?') { "" } else { "." };
        writeln!(text, "  /** `\"{name}\"`: {next}{end} */\n  JFAI_ERR_{} = {number},", name.to_uppercase())?;
    }
    write!(text, "}};")?;
    Ok(text)
}
