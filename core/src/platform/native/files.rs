//! What systems do with files in different ways.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

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

/// Opening a pipe does not wait for its other end.
pub(crate) fn never_waits(options: &mut OpenOptions) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    }
    #[cfg(not(unix))]
    let _ = options;
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

/// Waits until the disk has what was written to a file, by one of the two ways of the standard library.
///
/// On Apple's systems both are `F_FULLFSYNC`, which network drives and some others do not know. There `fsync` is all that can be
/// asked for, as `SQLite`, libuv and Go do it.
pub(crate) fn sync_file(file: &File, sync: fn(&File) -> io::Result<()>) -> io::Result<()> {
    or_weaker(sync(file), cfg!(target_vendor = "apple"), || {
        #[cfg(unix)]
        rustix::fs::fsync(file)?;
        Ok(())
    })
}

fn or_weaker(synced: io::Result<()>, is_apple: bool, weaker: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    /// EINVAL, ENOTTY and ENOTSUP of Apple's systems. What the disk could not write has others.
    const UNKNOWN: [i32; 3] = [22, 25, 45];
    match synced {
        Err(error) if is_apple && error.raw_os_error().is_some_and(|code| UNKNOWN.contains(&code)) => weaker(),
        synced => synced,
    }
}

/// What a system is asked about to tell files apart. Unix says it with everything else of a file.
#[cfg_attr(not(windows), allow(dead_code))]
#[derive(Clone, Copy)]
pub(crate) enum Which<'a> {
    Open(&'a File),
    Named(&'a Path),
}

/// Tells two files apart, where an open file can be removed or renamed over.
#[cfg(unix)]
#[allow(clippy::unnecessary_wraps)] // elsewhere there may be none
pub(crate) fn file_id(data: &fs::Metadata, _: Which<'_>) -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;
    Some(format!("{}:{}", data.dev(), data.ino()))
}

/// Tells two files apart, where an open file can be removed or renamed over. Windows says it of an open file only.
#[cfg(windows)]
pub(crate) fn file_id(data: &fs::Metadata, which: Which<'_>) -> Option<String> {
    let told = match which {
        _ if !data.is_file() => return None,
        Which::Open(file) => winapi_util::file::information(file),
        Which::Named(path) => winapi_util::Handle::from_path_any(path).and_then(winapi_util::file::information),
    };
    told.ok().map(|told| format!("{}:{}", told.volume_serial_number(), told.file_index()))
}

/// Tells two files apart, where an open file can be removed or renamed over.
#[cfg(not(any(unix, windows)))]
pub(crate) fn file_id(_: &fs::Metadata, _: Which<'_>) -> Option<String> {
    None
}

/// The first pause before a file that another program holds is tried again; each is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(4);
/// For so long at most.
const HELD_LIMIT: Duration = Duration::from_secs(2);

/// Repeats an operation while another program holds the file up. On Windows, virus scanners and indexers open each new file
/// for a moment; until they close it, it cannot be renamed or removed, nor sometimes opened. Elsewhere nothing is repeated.
pub(crate) fn unless_held<T>(operation: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    repeat_while(operation, |error| cfg!(windows) && is_held(error), std::thread::sleep)
}

/// The codes of Windows for it: a sharing violation, a lock violation, and what a rename over such a file gives.
fn is_held(error: &io::Error) -> bool {
    const ACCESS_DENIED: i32 = 5;
    const SHARING_VIOLATION: i32 = 32;
    const LOCK_VIOLATION: i32 = 33;
    matches!(error.raw_os_error(), Some(ACCESS_DENIED | SHARING_VIOLATION | LOCK_VIOLATION))
}

fn repeat_while<T>(
    mut operation: impl FnMut() -> io::Result<T>,
    is_held: impl Fn(&io::Error) -> bool,
    mut sleep: impl FnMut(Duration),
) -> io::Result<T> {
    let (mut pause, mut slept) = (FIRST_PAUSE, Duration::ZERO);
    loop {
        match operation() {
            Err(error) if is_held(&error) && slept < HELD_LIMIT => {
                sleep(pause);
                slept += pause;
                pause = (pause * 2).min(HELD_LIMIT.saturating_sub(slept));
            }
            result => return result,
        }
    }
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
    unless_held(|| fs::remove_file(&name))?;
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_held_is_tried_again_for_a_while() {
        fn held<T>() -> io::Result<T> {
            Err(io::Error::from_raw_os_error(32))
        }
        let (mut tries, mut slept) = (0, Vec::new());
        let result =
            repeat_while(|| (tries += 1, if tries < 4 { held() } else { Ok(7) }).1, is_held, |pause| slept.push(pause));
        assert_eq!(result.unwrap(), 7);
        assert_eq!(slept, [FIRST_PAUSE, FIRST_PAUSE * 2, FIRST_PAUSE * 4]);
        // It ends, with the system's own error.
        let mut slept = Duration::ZERO;
        let error = repeat_while(held::<()>, is_held, |pause| slept += pause).unwrap_err();
        assert_eq!((error.raw_os_error(), slept), (Some(32), HELD_LIMIT));
        // Nothing else is repeated.
        let full = || -> io::Result<()> { Err(io::ErrorKind::StorageFull.into()) };
        assert!(repeat_while(full, is_held, |_| panic!("a full disk is waited for")).is_err());
    }

    #[test]
    fn where_the_strongest_sync_is_unknown_the_other_one_is_asked_for() {
        let fails = |code| Err(io::Error::from_raw_os_error(code));
        for code in [22, 25, 45] {
            assert!(or_weaker(fails(code), true, || Ok(())).is_ok(), "{code}");
            // Its failure counts, and elsewhere nothing is made good.
            assert_eq!(or_weaker(fails(code), true, || fails(5)).unwrap_err().raw_os_error(), Some(5));
            assert_eq!(or_weaker(fails(code), false, || Ok(())).unwrap_err().raw_os_error(), Some(code));
        }
        // EIO and ENOSPC: the bytes are not on the disk.
        for code in [5, 28] {
            let error = or_weaker(fails(code), true, || panic!("it was asked for again")).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(code));
        }
        assert!(or_weaker(Ok(()), true, || panic!("it was asked for again")).is_ok());
        sync_file(tempfile::NamedTempFile::new().unwrap().as_file(), File::sync_data).unwrap();
    }

    #[test]
    fn files_are_told_apart_by_more_than_their_names() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let named = |path: &Path| file_id(&fs::metadata(path).unwrap(), Which::Named(path)).unwrap();
        fs::write(&path, "one").unwrap();
        let file = File::open(&path).unwrap();
        let id = file_id(&file.metadata().unwrap(), Which::Open(&file)).unwrap();
        assert_eq!(named(&path), id);
        fs::hard_link(&path, folder.path().join("link")).unwrap();
        assert_eq!(named(&folder.path().join("link")), id);
        fs::write(folder.path().join("b"), "one").unwrap();
        assert_ne!(named(&folder.path().join("b")), id);
    }
}
