//! MP4 structure: no file makes the checker panic, run on, or read outside of the file; a cut file does not pass.
#![no_main]

use junfeiai::protocol::mp4::{MAX_NEED, Mp4Check, Mp4Step, check_slice, looks_like_mp4};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    let whole = check_slice(file);
    let _ = looks_like_mp4(file);
    let mut check = Mp4Check::new(file.len() as u64);
    // The same in crumbs.
    let mut steps = 0;
    let pieces = loop {
        match check.step() {
            Mp4Step::Done(result) => break result,
            Mp4Step::Need { offset, len } => {
                assert!(len <= MAX_NEED && offset <= file.len() as u64);
                let from = offset as usize;
                let to = from.saturating_add(len.min(1 + steps % 7)).min(file.len());
                check.input(&file[from..to]);
                steps += 1;
                assert!(steps < 64 * (file.len() + 1024), "it runs on");
            }
        }
    };
    assert_eq!(whole, pieces);
});
