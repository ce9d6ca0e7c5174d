//! What systems do with files in different ways.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Written to see whether the disk takes anything.
const PROBE: [u8; 4096] = [0; 4096];

/// Whether the name of an open file can be removed, or given to another file.
pub(crate) const OPEN_FILES_CAN_BE_REMOVED: bool = cfg!(unix);

pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut text = OsString::from(path);
    text.push(suffix);
    text.into()
}

/// The folder that a file is in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Like rename, but never over a file that came in the meantime: that is `AlreadyExists`.
pub(crate) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            Ok(()) => return Ok(()),
            Err(error @ rustix::io::Errno::EXIST) => return Err(error.into()),
            // Some file systems do not know this flag.
            Err(_) => {}
        }
    }
    // A second name is refused where there is one already; most file systems without that flag know links.
    match fs::hard_link(from, to) {
        Ok(()) => return fs::remove_file(from),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(error),
        Err(_) => {}
    }
    if fs::symlink_metadata(to).is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    fs::rename(from, to)
}

/// Makes the names in a folder durable. Where a folder cannot be synced (Windows, some network file systems) they are as
/// durable as the system makes them.
pub(crate) fn sync_folder(folder: &Path) {
    if cfg!(unix) {
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
    }
}

/// Whether an open file is the one of this name.
#[cfg(unix)]
pub(crate) fn same_file(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    match (file.metadata(), fs::metadata(path)) {
        (Ok(ours), Ok(theirs)) => ours.dev() == theirs.dev() && ours.ino() == theirs.ino(),
        _ => false,
    }
}

/// Whether an open file is the one of this name. Here an open file cannot be removed.
#[cfg(not(unix))]
pub(crate) fn same_file(_: &File, path: &Path) -> bool {
    path.exists()
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

/// How long ago a file was written to; `None` when that cannot be known.
pub(crate) fn age(path: &Path) -> Option<Duration> {
    let written = fs::symlink_metadata(path).and_then(|data| data.modified()).ok()?;
    // A clock that was set back makes nothing old.
    Some(SystemTime::now().duration_since(written).unwrap_or_default())
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
