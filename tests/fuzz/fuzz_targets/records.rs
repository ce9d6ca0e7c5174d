//! What a killed process leaves: the state beside a part file, and the journal. Whatever stands there, readers do not
//! panic, take in no byte that is not in the file, and understand what we wrote.
//!
//! Input: which reader (0 part state, 1 journal, 2 its first line), then the text.
#![no_main]

use junfeiai::protocol::ledger::{Entry, Header, Ledger, Tail};
use junfeiai::protocol::part::PartState;
use junfeiai::protocol::validators::Validators;
use junfeiai_fuzz::Input;
use libfuzzer_sys::fuzz_target;

/// A part file of any length, and then some writes of our own.
fn part(data: &[u8]) {
    let length = 1 + data.len() as u64 % 1500;
    for (task, boot) in [None, Some("task_1")].into_iter().flat_map(|task| [(task, None), (task, Some("a"))]) {
        assert!(PartState::read(task, boot, data, 0).is_none(), "an empty file holds nothing");
        let Some(kept) = PartState::read(task, boot, data, length) else { continue };
        assert!(kept.progress.ranges.iter().all(|range| range.start < range.end && range.end <= length));
        let (whole, torn) = data.split_at(kept.text_length);
        // What a machine that lost power left may have any end.
        assert!(whole.ends_with(b"\n") && (kept.rebooted.is_some() || !torn.contains(&b'\n')));
        let again = PartState::read(task, boot, whole, length).expect("what was read can be read");
        assert_eq!(again.progress.ranges, kept.progress.ranges, "a torn line meant something");
        // Going on with it: what is noted afterwards is understood, together with what stood before.
        let (mut state, mut ranges, mut text, mut length) =
            (kept.state, kept.progress.ranges, String::from_utf8(whole.to_vec()).expect("our lines"), length);
        if let Some(rebooted) = kept.rebooted {
            length = rebooted.cut.unwrap_or(length);
            text += &rebooted.lines;
        }
        let mut validators = kept.progress.validators;
        let mut input = Input(data);
        for _ in 0..8 {
            let (at, count) = (u64::from(input.byte()) * 8, u64::from(input.byte()) + 1);
            if input.byte() % 8 == 0 {
                validators = Validators { etag: None, last_modified: None, total: Some(at) };
            }
            text.extend(state.describe(&validators, &kept.progress.source));
            text.extend(state.before_write(at));
            length = length.max(at + count);
            ranges.insert(at, at + count);
            text.extend(state.after_write(at, count));
            // Where boots cannot be told apart, what was not synced is not believed.
            text.extend(boot.is_none().then(|| state.after_sync()).flatten());
            let read = PartState::read(task, boot, text.as_bytes(), length).expect("our own lines can be read");
            assert_eq!(read.progress.ranges, ranges, "{text}");
            assert_eq!(read.progress.validators, validators);
        }
    }
}

fn entries(ledger: &Ledger) -> Vec<&Entry> {
    ledger.entries().collect()
}

fn journal(data: &[u8]) {
    let mut whole = Ledger::default();
    let Ok((used, tail)) = whole.read(data) else { return };
    assert!(used <= data.len() && (tail == Tail::Torn) == (used < data.len()));
    assert_eq!(entries(&whole).len(), whole.len());
    let ids: Vec<_> = whole.entries().filter_map(|entry| entry.state.task_id()).collect();
    // Any text is an id; only its place in a URL or a file name is another matter.
    assert!(ids.iter().all(|id| !id.is_empty()));
    // Read line by line it is the same.
    let mut lines = Ledger::default();
    for line in data[..used].split_inclusive(|byte| *byte == b'\n') {
        lines.read(line).expect("each line is good");
    }
    assert_eq!(entries(&whole), entries(&lines));
    // What is written anew is what was read.
    let header = Header::new("2");
    let text = whole.compacted(&header);
    let (read, length) = Header::read(text.as_bytes()).expect("our own header").expect("a whole line");
    assert_eq!(read, header);
    let mut again = Ledger::default();
    let (used, tail) = again.read(&text.as_bytes()[length..]).expect("our own lines");
    assert_eq!((used, tail), (text.len() - length, Tail::Whole));
    let shape = |entry: &&Entry| (entry.intent.clone(), entry.model.clone(), entry.order.clone(), entry.state.clone());
    assert_eq!(
        entries(&whole).iter().map(shape).collect::<Vec<_>>(),
        entries(&again).iter().map(shape).collect::<Vec<_>>()
    );
}

fuzz_target!(|data: &[u8]| {
    let Some((which, text)) = data.split_first() else { return };
    match which {
        0 => part(text),
        1 => journal(text),
        _ => {
            if let Ok(Some((header, length))) = Header::read(text) {
                assert!(length <= text.len());
                assert_eq!(
                    Header::read(header.to_line().as_bytes()).ok().flatten().map(|(read, _)| read),
                    Some(header)
                );
            }
        }
    }
});
