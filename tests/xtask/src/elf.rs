//! What rustc leaves open on systems with ELF files: versions of the shared library's symbols, and a static library whose symbols
//! no shared library exports that it is linked into.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;

use object::elf::{FileHeader32, FileHeader64, SHN_UNDEF, STB_LOCAL, STV_DEFAULT, STV_HIDDEN};
use object::read::archive::ArchiveFile;
use object::read::elf::{FileHeader, SectionHeader as _, Sym as _};
use object::{Endianness, FileKind, SectionIndex};

use crate::Result;

/// The static library with every symbol that it defines hidden. Files that are not ELF are left as they are.
pub(crate) fn hidden(archive: &[u8]) -> Result<Vec<u8>> {
    let mut places = Vec::new();
    for member in ArchiveFile::parse(archive)?.members() {
        let (start, length) = member?.file_range();
        let (start, length) = (usize::try_from(start)?, usize::try_from(length)?);
        let data = archive.get(start..start + length).ok_or("a file of the static library is cut")?;
        match FileKind::parse(data) {
            Ok(FileKind::Elf64) => visible::<FileHeader64<Endianness>>(data, start, &mut places)?,
            Ok(FileKind::Elf32) => visible::<FileHeader32<Endianness>>(data, start, &mut places)?,
            _ => {}
        }
    }
    let mut changed = archive.to_vec();
    for place in places {
        changed[place] = (changed[place] & !3) | STV_HIDDEN;
    }
    Ok(changed)
}

/// Where an object that begins at `start` says of its symbols that everybody may see them.
fn visible<Elf: FileHeader<Endian = Endianness>>(data: &[u8], start: usize, places: &mut Vec<usize>) -> Result {
    let header = Elf::parse(data)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, data)?;
    let symbols = sections.symbols(endian, data, object::elf::SHT_SYMTAB)?;
    if symbols.is_empty() {
        return Ok(());
    }
    let table = usize::try_from(sections.section(SectionIndex(symbols.section().0))?.sh_offset(endian).into())?;
    // `st_other` follows `st_info`, which in the files of 64 bits comes third and in those of 32 bits fifth.
    let (size, other) = if header.is_type_64() { (24, 5) } else { (16, 13) };
    for (index, symbol) in symbols.iter().enumerate() {
        if symbol.st_bind() != STB_LOCAL
            && symbol.st_shndx(endian) != SHN_UNDEF
            && symbol.st_visibility() == STV_DEFAULT
        {
            places.push(start + table + index * size + other);
        }
    }
    Ok(())
}

/// Links the shared library from the static one, since rustc's own list of exported symbols cannot have versions.
pub(crate) fn link(
    statics: &Path,
    shared: &Path,
    target: &str,
    host: &str,
    strip: bool,
    compatible: &str,
    system: &[String],
) -> Result {
    let newer = |path: &Path| fs::metadata(path).and_then(|data| data.modified());
    if matches!((newer(shared), newer(statics)), (Ok(shared), Ok(statics)) if shared > statics) {
        return Ok(());
    }
    let script = shared.with_extension("map");
    fs::write(&script, format!("JUNFEIAI_{compatible} {{\n  global: jfai_*;\n  local: *;\n}};\n"))?;
    let partial = shared.with_extension("partial");
    let linker = linker(target, host)?;
    let done = Command::new(&linker)
        .arg("-shared")
        .arg("-o")
        .arg(&partial)
        .arg(format!("-Wl,-soname,libjunfeiai.so.{compatible}"))
        .arg(format!("-Wl,--version-script={}", script.display()))
        .args(["-Wl,--gc-sections", "-Wl,--as-needed", "-Wl,-O1", "-Wl,-z,noexecstack", "-Wl,-z,relro", "-Wl,-z,now"])
        .args(strip.then_some("-Wl,--strip-all"))
        .arg("-Wl,--whole-archive")
        .arg(statics)
        .arg("-Wl,--no-whole-archive")
        .args(system)
        .output()
        .map_err(|error| format!("{} cannot be run: {error}", linker.display()))?;
    if !done.status.success() {
        return Err(format!("the shared library cannot be linked:\n{}", String::from_utf8_lossy(&done.stderr)).into());
    }
    Ok(fs::rename(partial, shared)?)
}

/// The one that `JUNFEIAI_C_LINKER` names, the linker that cargo is told to use, or the system's own.
fn linker(target: &str, host: &str) -> Result<OsString> {
    if let Some(linker) = std::env::var_os("JUNFEIAI_C_LINKER") {
        return Ok(linker);
    }
    let variable = format!("CARGO_TARGET_{}_LINKER", target.to_uppercase().replace(['-', '.'], "_"));
    match std::env::var_os(&variable) {
        Some(linker) => Ok(linker),
        None if target == host => Ok("cc".into()),
        None => Err(format!("no linker for {target}: set {variable} to its C compiler").into()),
    }
}
