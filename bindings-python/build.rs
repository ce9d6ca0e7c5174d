//! Notes what `junfeiai --version` prints of the build. No date: the same source and compiler give the same bytes. The commit is
//! noted where the build is told it; an sdist has none.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=JUNFEIAI_COMMIT");
    let variable = |name| std::env::var(name).unwrap_or_default();
    let compiler = Command::new(variable("RUSTC")).arg("--version").output();
    let compiler = compiler.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    let commit = variable("JUNFEIAI_COMMIT");
    let is_commit = (7..=64).contains(&commit.len()) && commit.bytes().all(|b| b.is_ascii_hexdigit());
    println!("cargo:rustc-env=JUNFEIAI_BUILD_TARGET={}", variable("TARGET"));
    println!("cargo:rustc-env=JUNFEIAI_BUILD_COMPILER={compiler}");
    println!("cargo:rustc-env=JUNFEIAI_BUILD_COMMIT={}", if is_commit { commit } else { String::new() });
}
