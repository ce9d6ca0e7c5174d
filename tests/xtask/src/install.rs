//! Installs the C library the way systems look for libraries.

use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;

use crate::{Result, cargo, elf, root};

const VERSION: &str = env!("CARGO_PKG_VERSION");

#[derive(Args)]
pub(crate) struct Options {
    /// Where it will live, such as /usr/local.
    #[arg(long, default_value = "/usr/local")]
    prefix: PathBuf,
    /// Put in front of the prefix while packaging.
    #[arg(long, default_value = "")]
    destdir: String,
    /// Folder of the libraries below the prefix.
    #[arg(long, default_value = "lib")]
    libdir: String,
    /// Another platform's, such as x86_64-pc-windows-gnu; its compiler and Rust's library for it must be there. With the oldest
    /// glibc behind it, x86_64-unknown-linux-gnu.2.17, when CARGO names a program that builds for that (cargo-zigbuild).
    #[arg(long)]
    target: Option<String>,
    /// Cargo's profile.
    #[arg(long, default_value = "release-c")]
    profile: String,
}

/// What a platform calls its libraries.
struct Names {
    built_shared: &'static str,
    built_static: &'static str,
    /// None where rustc makes none: with musl programs and their C library are one file, unless it is told otherwise.
    shared: Option<String>,
    /// Links to the shared library, each to the one before.
    links: Vec<String>,
    statics: &'static str,
    /// On Windows, what programs are linked with in place of the DLL: as it is built, and as it is installed.
    import: Option<(&'static str, &'static str)>,
}

impl Names {
    /// Of a target such as `x86_64-pc-windows-gnu`.
    fn of(target: &str) -> Self {
        if target.contains("-windows") {
            // The import library names the DLL, so that keeps its name.
            let (statics, import) = if target.ends_with("msvc") {
                (["junfeiai_c.lib", "junfeiai_static.lib"], ("junfeiai_c.dll.lib", "junfeiai.lib"))
            } else {
                (["libjunfeiai_c.a", "libjunfeiai.a"], ("libjunfeiai_c.dll.a", "libjunfeiai.dll.a"))
            };
            Self {
                built_shared: "junfeiai_c.dll",
                built_static: statics[0],
                shared: Some("junfeiai_c.dll".to_owned()),
                links: Vec::new(),
                statics: statics[1],
                import: Some(import),
            }
        } else if target.contains("-apple-") {
            Self {
                built_shared: "libjunfeiai_c.dylib",
                built_static: "libjunfeiai_c.a",
                shared: Some(format!("libjunfeiai.{VERSION}.dylib")),
                links: vec![format!("libjunfeiai.{}.dylib", compatible()), "libjunfeiai.dylib".to_owned()],
                statics: "libjunfeiai.a",
                import: None,
            }
        } else {
            Self {
                built_shared: "libjunfeiai_c.so",
                built_static: "libjunfeiai_c.a",
                shared: Some(format!("libjunfeiai.so.{VERSION}")),
                links: vec![format!("libjunfeiai.so.{}", compatible()), "libjunfeiai.so".to_owned()],
                statics: "libjunfeiai.a",
                import: None,
            }
        }
    }
}

/// The part of the version that says what fits together; before 1.0 the minor number belongs to it. `bindings-c/build.rs` builds
/// the name of the shared library with it.
fn compatible() -> String {
    let mut numbers = VERSION.split('.');
    match (numbers.next().unwrap_or("0"), numbers.next().unwrap_or("0")) {
        ("0", minor) => format!("0.{minor}"),
        (major, _) => major.to_owned(),
    }
}

pub(crate) fn run(options: &Options) -> Result {
    let target = options.target.as_deref().map(without_glibc).map_or_else(host, |target| Ok(target.to_owned()))?;
    supported(&target)?;
    below_prefix(&options.libdir)?;
    let mut names = Names::of(&target);
    let prefix = placed(&options.destdir, &options.prefix)?;
    let libraries = prefix.join(&options.libdir);
    // Windows looks for DLLs where programs are.
    let shared_folder = if names.import.is_some() { "bin" } else { &options.libdir };
    let include = prefix.join("include");
    let cmake = libraries.join("cmake/junfeiai");
    let pkgconfig = libraries.join("pkgconfig");
    for folder in [&include, &cmake, &pkgconfig, &prefix.join(shared_folder)] {
        writable(folder)?;
    }
    let (built, system) = build(&options.profile, options.target.as_deref())?;
    if target.ends_with("-musl") && !built.join(names.built_shared).exists() {
        names.shared = None;
    }
    let headers = root().join("bindings-c/include");
    for name in ["junfeiai.h", "junfeiai.hpp"] {
        copy(&headers.join(name), &include.join(name))?;
    }
    let (mut shared, statics) = (built.join(names.built_shared), built.join(names.built_static));
    if target.contains("-linux-") {
        if names.shared.is_some() {
            let unversioned = shared;
            shared = unversioned.with_file_name("libjunfeiai_versioned.so");
            // As cargo would strip what it links.
            let strip =
                options.profile != "dev" || std::env::var("CARGO_PROFILE_DEV_STRIP").is_ok_and(|how| how == "symbols");
            elf::link(&statics, &shared, &target, &host()?, strip, &compatible(), &system)?;
        }
        place(&elf::hidden(&fs::read(&statics)?)?, &libraries.join(names.statics))?;
    } else {
        copy(&statics, &libraries.join(names.statics))?;
    }
    if let Some((built_import, import)) = names.import {
        copy(&built.join(built_import), &libraries.join(import))?;
    }
    if let Some(name) = &names.shared {
        copy(&shared, &prefix.join(shared_folder).join(name))?;
        let mut target = name;
        for link in &names.links {
            symlink(target, &libraries.join(link))?;
            target = link;
        }
    }
    let depth = Path::new(&options.libdir).components().count();
    // What is linked into the libraries asks for its licences beside them.
    let licences = prefix.join("share/licenses/junfeiai");
    fs::create_dir_all(&licences)?;
    for path in ["LICENSE-APACHE", "LICENSE-MIT", "bindings-c/THIRD-PARTY-LICENSES.txt"] {
        let name = path.rsplit('/').next().unwrap_or(path);
        copy(&root().join(path), &licences.join(name))?;
    }
    // What valgrind and ThreadSanitizer report of Rust's standard library.
    let suppressions = prefix.join("share/junfeiai");
    fs::create_dir_all(&suppressions)?;
    for name in ["valgrind.supp", "tsan.supp"] {
        copy(&root().join("bindings-c/packaging/suppressions").join(name), &suppressions.join(name))?;
    }
    fs::write(pkgconfig.join("junfeiai.pc"), pkg_config(&names, &options.libdir, depth + 1, &system))?;
    fs::write(cmake.join("junfeiaiConfig.cmake"), cmake_config(&names, &options.libdir, depth + 2, &system))?;
    fs::write(cmake.join("junfeiaiConfigVersion.cmake"), cmake_version())?;
    println!("installed libjunfeiai {VERSION} in {}", prefix.display());
    println!("system libraries of the static one: {}", system.join(" "));
    Ok(())
}

/// Says so before a long build that cannot end well.
fn supported(target: &str) -> Result {
    if ["-linux-gnu", "-linux-musl", "-windows-gnu", "-windows-msvc", "-apple-darwin"]
        .iter()
        .any(|system| target.contains(system))
    {
        return Ok(());
    }
    Err(format!(
        "the library can be built for Linux, macOS and Windows, not for {target}: see rustc --print target-list"
    )
    .into())
}

/// What leads elsewhere would be installed beside the prefix, and past DESTDIR.
fn below_prefix(libdir: &str) -> Result {
    let path = Path::new(libdir);
    if path.components().next().is_some() && path.components().all(|part| matches!(part, Component::Normal(_))) {
        return Ok(());
    }
    Err(format!("--libdir (LIBDIR) is a folder below the prefix, such as lib64, and not {libdir:?}").into())
}

/// Makes a folder, and says before the long build that nothing can be written there.
fn writable(folder: &Path) -> Result {
    let probe = folder.join(".junfeiai-install");
    let tried = fs::create_dir_all(folder).and_then(|()| fs::write(&probe, "")).and_then(|()| fs::remove_file(&probe));
    tried.map_err(|error| {
        let folder = folder.display();
        format!("{folder} cannot be written: {error}; give another folder by --prefix (PREFIX), or install as a user who may").into()
    })
}

/// The target that the compiler builds for.
fn host() -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let said = String::from_utf8(Command::new(rustc).arg("-vV").output()?.stdout)?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.ok_or("rustc -vV names no host")?.to_owned())
}

/// `x86_64-unknown-linux-gnu` of `x86_64-unknown-linux-gnu.2.17`: what cargo and its folders call the target.
fn without_glibc(target: &str) -> &str {
    target.split_once('.').map_or(target, |(target, _)| target)
}

/// `DESTDIR/PREFIX`, as make's users expect it.
fn placed(destdir: &str, prefix: &Path) -> Result<PathBuf> {
    let prefix = std::path::absolute(prefix)?;
    if destdir.is_empty() {
        return Ok(prefix);
    }
    let below: PathBuf = prefix.components().filter(|part| matches!(part, Component::Normal(_))).collect();
    Ok(std::path::absolute(destdir)?.join(below))
}

/// Builds the library; gives the folder that it is in, and the system libraries that the static one needs.
fn build(profile: &str, target: Option<&str>) -> Result<(PathBuf, Vec<String>)> {
    let arguments = ["rustc", "--locked", "-p", "junfeiai-c", "--lib", "--message-format", "json-render-diagnostics"];
    let output = cargo()
        .args(arguments)
        .args(target.map(|target| format!("--target={target}")))
        .args(["--profile", profile, "--", "--print", "native-static-libs"])
        .stderr(Stdio::piped())
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("the library cannot be built:\n{said}").into());
    }
    let said = said.lines().chain([""]);
    let libraries = said.filter_map(|line| line.split_once("native-static-libs:")).map(|(_, list)| list).next();
    let system = each_once(libraries.ok_or("rustc did not say which system libraries are needed")?);
    let folder = if profile == "dev" { "debug" } else { profile };
    let built = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    Ok((root().join(built).join(target.map(without_glibc).unwrap_or_default()).join(folder), system))
}

/// The libraries of a list, each once. Those of Apple's that are frameworks are named by two words, which stay together. What
/// begins with a slash is an option of MSVC's linker and would be a file's path to `CMake`; with a hyphen it is an option to both.
fn each_once(list: &str) -> Vec<String> {
    let mut libraries: Vec<String> = Vec::new();
    let mut words = list.split_whitespace();
    while let Some(word) = words.next() {
        let name = if word == "-framework" { words.next() } else { None };
        let library = match (name, word.strip_prefix('/')) {
            (Some(name), _) => format!("{word} {name}"),
            (None, Some(option)) => format!("-{option}"),
            (None, None) => word.to_owned(),
        };
        if !libraries.contains(&library) {
            libraries.push(library);
        }
    }
    libraries
}

/// Writes a file that is not there yet, or differs: what is linked with it is built anew only then.
fn place(bytes: &[u8], to: &Path) -> Result {
    if fs::read(to).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    let _ = fs::remove_file(to);
    Ok(fs::write(to, bytes)?)
}

fn copy(from: &Path, to: &Path) -> Result {
    if let (Ok(new), Ok(old)) = (fs::read(from), fs::read(to))
        && new == old
    {
        return Ok(());
    }
    // Not written over: a program that runs with the old one keeps it.
    let _ = fs::remove_file(to);
    fs::copy(from, to).map_err(|error| format!("{} cannot be copied to {}: {error}", from.display(), to.display()))?;
    Ok(())
}

#[cfg(unix)]
fn symlink(target: &str, link: &Path) -> Result {
    let _ = fs::remove_file(link);
    Ok(std::os::unix::fs::symlink(target, link)?)
}

#[cfg(not(unix))]
fn symlink(target: &str, link: &Path) -> Result {
    copy(&link.with_file_name(target), link)
}

/// `..` so many times: what was installed may be moved as a whole.
fn up(depth: usize) -> String {
    vec![".."; depth].join("/")
}

fn pkg_config(names: &Names, libdir: &str, depth: usize, system: &[String]) -> String {
    let (up, system) = (up(depth), system.join(" "));
    // The static library alone is never linked without what it needs itself.
    let (libs, private) =
        if names.shared.is_some() { (String::new(), system) } else { (format!(" {system}"), String::new()) };
    format!(
        "prefix=${{pcfiledir}}/{up}\n\
         includedir=${{prefix}}/include\n\
         libdir=${{prefix}}/{libdir}\n\n\
         Name: junfeiai\n\
         Description: The JunFeiAI video API: creates, waits for and downloads videos safely\n\
         URL: https://junfeiai.com\n\
         Version: {VERSION}\n\
         Cflags: -I${{includedir}}\n\
         Cflags.private: -DJFAI_STATIC\n\
         Libs: -L${{libdir}} -ljunfeiai{libs}\n\
         Libs.private: {private}\n"
    )
}

fn cmake_config(names: &Names, libdir: &str, depth: usize, system: &[String]) -> String {
    let (up, system, statics) = (up(depth), system.join(";"), names.statics);
    let shared = names.shared.as_ref().map(|shared| {
        let (folder, import) = if let Some((_, import)) = names.import {
            ("bin", format!("IMPORTED_IMPLIB \"${{_junfeiai_prefix}}/{libdir}/{import}\""))
        } else {
            // The name that programs ask for at run time. On macOS CMake has them look beside the library only where it begins so.
            let place = if shared.contains(".dylib") { "@rpath/" } else { "" };
            (libdir, format!("IMPORTED_SONAME \"{place}{}\"", names.links.first().unwrap_or(shared)))
        };
        format!(
            "\x20 add_library(junfeiai::junfeiai SHARED IMPORTED)\n\
             \x20 set_target_properties(junfeiai::junfeiai PROPERTIES\n\
             \x20   IMPORTED_LOCATION \"${{_junfeiai_prefix}}/{folder}/{shared}\"\n\
             \x20   {import}\n\
             \x20   INTERFACE_INCLUDE_DIRECTORIES \"${{_junfeiai_prefix}}/include\")\n"
        )
    });
    let targets = if shared.is_some() {
        "Targets: junfeiai::junfeiai (shared) and junfeiai::static"
    } else {
        "Targets: junfeiai::static, and junfeiai::junfeiai, which is the same: there is no shared library here"
    };
    // What programs for other systems link with is there, too.
    let shared = shared.unwrap_or_else(|| {
        "\x20 add_library(junfeiai::junfeiai INTERFACE IMPORTED)\n\
         \x20 set_target_properties(junfeiai::junfeiai PROPERTIES INTERFACE_LINK_LIBRARIES junfeiai::static)\n"
            .to_owned()
    });
    format!(
        "# {targets}.\n\
         get_filename_component(_junfeiai_prefix \"${{CMAKE_CURRENT_LIST_DIR}}/{up}\" ABSOLUTE)\n\
         if(NOT TARGET junfeiai::static)\n\
         {shared}\
         \x20 add_library(junfeiai::static STATIC IMPORTED)\n\
         \x20 set_target_properties(junfeiai::static PROPERTIES\n\
         \x20   IMPORTED_LOCATION \"${{_junfeiai_prefix}}/{libdir}/{statics}\"\n\
         \x20   INTERFACE_COMPILE_DEFINITIONS JFAI_STATIC\n\
         \x20   INTERFACE_LINK_LIBRARIES \"{system}\"\n\
         \x20   INTERFACE_INCLUDE_DIRECTORIES \"${{_junfeiai_prefix}}/include\")\n\
         endif()\n\
         unset(_junfeiai_prefix)\n"
    )
}

/// Before 1.0 the minor number says what fits together.
fn cmake_version() -> String {
    let mut numbers = VERSION.split('.');
    let (major, minor) = (numbers.next().unwrap_or("0"), numbers.next().unwrap_or("0"));
    format!(
        "set(PACKAGE_VERSION \"{VERSION}\")\n\
         set(PACKAGE_VERSION_COMPATIBLE FALSE)\n\
         if(PACKAGE_FIND_VERSION VERSION_EQUAL PACKAGE_VERSION)\n\
         \x20 set(PACKAGE_VERSION_EXACT TRUE)\n\
         endif()\n\
         if(PACKAGE_FIND_VERSION_MAJOR EQUAL {major} AND PACKAGE_FIND_VERSION VERSION_LESS_EQUAL PACKAGE_VERSION)\n\
         \x20 if({major} GREATER 0 OR PACKAGE_FIND_VERSION_MINOR EQUAL {minor} OR PACKAGE_FIND_VERSION_COUNT EQUAL 1)\n\
         \x20   set(PACKAGE_VERSION_COMPATIBLE TRUE)\n\
         \x20 endif()\n\
         endif()\n"
    )
}
