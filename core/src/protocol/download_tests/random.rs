//! Random servers, random faults: the bytes are right or there is an error, and it always ends.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::super::*;
use super::simulation::{Faults, Server, Simulation};
use super::{C, R, urls};

fn length(rng: &mut fastrand::Rng) -> usize {
    match rng.u8(..4) {
        // The first 8 bytes stand for the structure.
        0 => rng.usize(9..40),
        1 => rng.usize(40..5_000),
        _ => rng.usize(5_000..400_000),
    }
}

fn policy(rng: &mut fastrand::Rng, length: usize) -> DownloadPolicy {
    let wanted = (rng.u8(..3) == 0).then(|| {
        let (a, b) = (rng.u64(..length as u64 * 3 / 2 + 2), rng.u64(..length as u64 * 3 / 2 + 2));
        a.min(b)..if rng.u8(..8) == 0 { u64::MAX } else { a.max(b) }
    });
    DownloadPolicy {
        connections: rng.u32(1..=8),
        min_part: rng.u64(1..40_000),
        verify: rng.bool(),
        timeout: (rng.u8(..10) == 0).then(|| Duration::from_secs(rng.u64(1..100))),
        wanted,
        ..DownloadPolicy::default()
    }
}

/// Anything may happen.
fn wild(seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let first = length(&mut rng);
    let changes = rng.u8(..3) == 0;
    let lengths: Vec<_> =
        if changes { (0..3).map(|_| if rng.bool() { first } else { length(&mut rng) }).collect() } else { vec![first] };
    let policy = policy(&mut rng, first);
    let mut often = |most: u32| if rng.bool() { rng.u32(..most) } else { 0 };
    let mut faults = Faults {
        cut: often(900),
        clean_cut: often(400),
        lost: often(300),
        upstream: often(300),
        rate_limited: often(300),
        not_ready: often(200),
        html: often(200),
        wrong_start: often(200),
        short_part: often(500),
        ignores_range: often(300),
        blocked: often(200),
        killed: often(20),
        change: if changes { 20 } else { 0 },
        at_most: rng.u32(..200),
    };
    let mut server = Server {
        honours_range: rng.u8(..4) != 0,
        content_range: rng.bool(),
        content_length: rng.u8(..4) != 0,
        etag: rng.bool(),
        // By a tag that says nothing of the file nobody could notice that it changed.
        alternates: rng.u8(..8) == 0 && !changes,
        weakens: rng.bool(),
        modified: rng.bool(),
        past_end: if rng.bool() { 416 } else { 502 },
        unusable: BTreeMap::new(),
        faults: Faults::default(),
    };
    if changes && !server.etag {
        // Without any validator nobody could notice.
        server.modified = true;
    }
    // Nor from a refusal alone, which has none: where the file ends must have been told.
    server.content_length |= changes;
    if !server.content_length && (!policy.verify || policy.wanted.is_some()) {
        // A clean end of a body without a length is all that there is to believe.
        faults.clean_cut = 0;
    }
    server.faults = faults;
    let mut simulation = Simulation::new(seed, &lengths, server, policy);
    simulation.can_query = rng.bool();
    // Between two hosts only the length is compared: a file that changes just then goes unnoticed.
    let sources: &[&str] = if changes || rng.u8(..3) == 0 { &[R] } else { &[R, C] };
    simulation.sources = urls(sources);
    simulation.asks_first = simulation.can_query && rng.u8(..4) == 0;
    if rng.u8(..4) == 0 {
        simulation.server.unusable.insert("r.example", [401, 403, 404][rng.usize(..3)]);
    }
    if let Ok((disk, finished)) = simulation.run() {
        simulation.check(&disk, &finished);
    }
    assert!(simulation.now < Time::from_start(Duration::from_secs(24 * 3600)), "{}", simulation.tail());
}

/// Only what must be survived happens.
fn mild(seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let first = length(&mut rng);
    let policy = DownloadPolicy { timeout: None, ..policy(&mut rng, first) };
    let mut often = |most: u32| if rng.bool() { rng.u32(..most) } else { 0 };
    let mut faults = Faults {
        cut: often(900),
        clean_cut: often(400),
        lost: often(300),
        upstream: often(300),
        rate_limited: often(300),
        not_ready: often(200),
        html: 0,
        wrong_start: 0,
        short_part: often(500),
        ignores_range: often(300),
        blocked: 0,
        killed: often(20),
        change: 0,
        at_most: 7,
    };
    let content_length = rng.bool();
    if !content_length && (!policy.verify || policy.wanted.is_some()) {
        faults.clean_cut = 0;
    }
    // The second change of a file is an error; the first is survived.
    let lengths = if !content_length || rng.bool() { vec![first] } else { vec![first, length(&mut rng)] };
    faults.change = if lengths.len() > 1 { 30 } else { 0 };
    let server = Server {
        honours_range: rng.bool(),
        content_range: rng.bool(),
        content_length,
        etag: true,
        // Two nodes of one service, or one that says what changed.
        alternates: policy.wanted.is_none() && lengths.len() == 1 && rng.u8(..4) == 0,
        weakens: rng.bool(),
        modified: rng.bool(),
        past_end: if rng.bool() { 416 } else { 502 },
        unusable: BTreeMap::from_iter((rng.bool()).then(|| ("r.example", [401, 403, 404][rng.usize(..3)]))),
        faults,
    };
    let mut simulation = Simulation::new(seed, &lengths, server, policy);
    simulation.sources = urls(if lengths.len() > 1 { &[C] } else { &[R, C] });
    simulation.can_query = rng.bool();
    match simulation.run() {
        Ok((disk, finished)) => simulation.check(&disk, &finished),
        // By chance three connections broke at the same byte.
        Err(error) if error.to_string().contains("so that no save can finish") => {}
        Err(error) => panic!("{error}\n{}", simulation.tail()),
    }
}

/// Cuts of one connection, and nothing else: every byte is sent once.
fn cuts(seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let first = length(&mut rng);
    let policy =
        DownloadPolicy { min_part: rng.u64(1..9_000), connections: rng.u32(1..=8), ..DownloadPolicy::default() };
    let server = Server {
        honours_range: true,
        content_range: rng.bool(),
        content_length: true,
        etag: rng.bool(),
        alternates: false,
        weakens: false,
        modified: rng.bool(),
        past_end: 416,
        unusable: BTreeMap::new(),
        faults: Faults { cut: 700, clean_cut: 500, at_most: 300, ..Faults::default() },
    };
    let mut simulation = Simulation::new(seed, &[first], server, policy);
    match simulation.run() {
        Ok((disk, finished)) => simulation.check(&disk, &finished),
        // A cut may bring nothing, nine times in a row.
        Err(error) => assert_eq!(error.kind(), ErrorKind::Download, "{}", simulation.tail()),
    }
    assert_eq!(simulation.resets, 0, "{}", simulation.tail());
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 0, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_bytes_are_right_or_there_is_an_error(seed: u64) {
        wild(seed);
    }

    #[test]
    fn a_few_faults_are_survived(seed: u64) {
        mild(seed);
    }

    #[test]
    fn any_way_of_cutting_the_body_gives_the_same_bytes(seed: u64) {
        cuts(seed);
    }
}
