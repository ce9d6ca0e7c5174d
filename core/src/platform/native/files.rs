//! What systems do with files in different ways.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::storage::Renamed;

/// Written to see whether the disk takes anything.
const PROBE: [u8; 4096] = [0; 4096];

pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut text = OsString::from(path);
    text.push(suffix);
    text.into()
}

/// The folder that a file is in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Like rename, but never over a file that came in the meantime, in one step.
pub(crate) fn rename_exclusive(from: &Path, to: &Path) -> Renamed {
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            Ok(()) => return Renamed::Done,
            Err(rustix::io::Errno::EXIST) => return Renamed::Exists,
            // Some file systems do not know this flag.
            Err(_) => {}
        }
    }
    let _ = (from, to);
    Renamed::Unsupported
}

/// Makes the names in a folder durable. Where a folder cannot be synced (Windows, some network file systems) they are as
/// durable as the system makes them.
pub(crate) fn sync_folder(folder: &Path) {
    if cfg!(unix) {
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
    }
}

/// Tells two files apart, where an open file can be removed or renamed over.
#[cfg(unix)]
#[allow(clippy::unnecessary_wraps)] // elsewhere there is none
pub(crate) fn file_id(data: &fs::Metadata) -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;
    Some(format!("{}:{}", data.dev(), data.ino()))
}

/// Tells two files apart, where an open file can be removed or renamed over.
#[cfg(not(unix))]
pub(crate) fn file_id(_: &fs::Metadata) -> Option<String> {
    None
}

/// Writes a file that nobody sees, or at least one that is gone at once: rights alone do not tell of a full disk or of a
/// file system that is mounted read-only.
pub(crate) fn write_probe(folder: &Path) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use rustix::fs::{CWD, Mode, OFlags, openat};
        use rustix::io::Errno;
        match openat(CWD, folder, OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC, Mode::RUSR | Mode::WUSR) {
            Ok(file) => return File::from(file).write_all(&PROBE),
            // File systems without files that have no name.
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOENT | Errno::NOSYS) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let name = folder.join(format!(".junfeiai-{}-{:?}.probe", std::process::id(), std::thread::current().id()));
    let mut file = OpenOptions::new().write(true).create_new(true).open(&name)?;
    let written = file.write_all(&PROBE);
    drop(file);
    fs::remove_file(&name)?;
    written
}

/// Sixteen hexadecimal digits that nobody else has.
pub(crate) fn random_name() -> String {
    use std::hash::{BuildHasher as _, Hasher as _};
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
    let mut hasher = std::collections::hash_map::RandomState::new().build_hasher();
    hasher.write_u64(nanos);
    hasher.write_u32(std::process::id());
    format!("{:016x}", hasher.finish())
}
