//! Gives the shared library the name by which programs ask for it at run time.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let part = |name| std::env::var(format!("CARGO_PKG_VERSION_{name}")).unwrap_or_default();
    // What fits together: before 1.0 the minor number says so.
    let version = match part("MAJOR").as_str() {
        "0" => format!("0.{}", part("MINOR")),
        major => major.to_owned(),
    };
    match std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default().as_str() {
        "linux" | "android" | "freebsd" | "netbsd" | "openbsd" => {
            println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libjunfeiai.so.{version}");
        }
        "macos" => println!("cargo:rustc-cdylib-link-arg=-Wl,-install_name,@rpath/libjunfeiai.{version}.dylib"),
        _ => {}
    }
}
