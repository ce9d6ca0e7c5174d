//! MP4 structure: no file makes the checker panic, run on, or read outside of the file; what passes has every sample
//! inside, as a reader that knows no limits finds them, and so has every cut of it that passes.
#![no_main]

use junfeiai::protocol::mp4::{BoxCounter, MAX_NEED, Mp4Check, Mp4Step, check_slice, looks_like_mp4};
use libfuzzer_sys::fuzz_target;

#[path = "../../../core/src/protocol/mp4/tests/oracle.rs"]
mod oracle;

fn judge(file: &[u8]) {
    if check_slice(file).is_ok() {
        for (at, length) in oracle::samples(file) {
            assert!(at.saturating_add(length) <= file.len() as u64, "a sample is outside");
        }
    }
}

fuzz_target!(|file: &[u8]| {
    let whole = check_slice(file);
    let _ = looks_like_mp4(file);
    judge(file);
    let cut = file.iter().fold(file.len(), |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(*byte)));
    judge(&file[..cut % (file.len() + 1)]);
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
    // Boxes are counted in whatever pieces they go past.
    let (mut once, mut crumbs) = (BoxCounter::default(), BoxCounter::default());
    once.pass(0, file);
    for (at, byte) in file.iter().enumerate() {
        crumbs.pass(at as u64, &[*byte]);
    }
    assert_eq!(once.cut_at(file.len() as u64), crumbs.cut_at(file.len() as u64));
});
