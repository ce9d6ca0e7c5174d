//! What the head of an answer says about the bytes that follow.

use super::DownloadMachine;
use super::lanes::Activity;
use crate::error::{Error, ErrorKind, Phase};
use crate::net::transport::Headers;
use crate::protocol::content_range::{ContentRange, ContentRangeHeader};
use crate::protocol::validators::Validators;
use crate::time::Time;

/// The head of a 2xx answer, as far as the download cares.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Head {
    /// HTTP status.
    pub status: u16,
    /// `Content-Length`.
    pub length: Option<u64>,
    /// `Content-Range`, which a browser may hide.
    pub content_range: Option<String>,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `ETag`.
    pub etag: Option<String>,
    /// `Last-Modified`.
    pub last_modified: Option<String>,
    /// `Content-Encoding` names a compression.
    pub compressed: bool,
}

impl Head {
    /// Reads the headers of an answer.
    pub fn new(status: u16, headers: &Headers) -> Self {
        let text = |name| headers.get(name).map(str::to_owned);
        // An engine that unpacks by itself shows the length of what was packed.
        let coding = headers.get("content-encoding");
        let packed = coding.is_some_and(|coding| !coding.eq_ignore_ascii_case("identity"));
        Self {
            status,
            length: headers.get("content-length").filter(|_| !packed).and_then(|text| text.trim().parse().ok()),
            content_range: text("content-range"),
            content_type: text("content-type"),
            etag: text("etag"),
            last_modified: text("last-modified"),
            compressed: coding.is_some_and(is_compression),
        }
    }

    /// What cannot be a video, by its own word. Unknown and missing types pass: the first bytes decide.
    pub(super) fn names_another_type(&self) -> Option<&str> {
        let kind = self.content_type.as_deref()?;
        let lower = kind.to_ascii_lowercase();
        let other = ["text/", "application/json", "application/xml", "image/", "multipart/"];
        other.iter().any(|prefix| lower.starts_with(prefix)).then_some(kind)
    }
}

/// Whether one of these codings packs bytes. Storages give other words, too (`aws-chunked`, `utf-8`), to bytes as they are.
fn is_compression(codings: &str) -> bool {
    let known = ["gzip", "x-gzip", "deflate", "br", "zstd", "compress", "x-compress", "dcb", "dcz"];
    codings.split(',').any(|coding| known.iter().any(|known| coding.trim().eq_ignore_ascii_case(known)))
}

/// What to do with a body whose head has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadVerdict {
    /// Read it and tell the machine of every piece.
    Read,
    /// Drop it.
    Drop,
}

impl DownloadMachine {
    /// Tells the head of a 2xx answer to this lane's request. (Others go to [`DownloadMachine::refused`].)
    pub fn head(&mut self, now: Time, lane: usize, head: &Head) -> HeadVerdict {
        if let Some(verdict) = self.looked(now, lane, head) {
            return verdict;
        }
        match self.judge(lane, head) {
            Ok(()) => {
                if let Some(lane) = self.lanes.get_mut(lane) {
                    lane.answered = now;
                }
                HeadVerdict::Read
            }
            Err(Objection::Unneeded) => {
                self.release(lane);
                HeadVerdict::Drop
            }
            Err(Objection::NotVideo(error)) => {
                self.release(lane);
                self.source_unusable(now, error);
                HeadVerdict::Drop
            }
            Err(Objection::OtherFile(why)) => {
                self.release(lane);
                self.start_over(now, Error::new(ErrorKind::Integrity, Phase::Content, why));
                HeadVerdict::Drop
            }
        }
    }

    /// True when this lane's answer calls itself something else than a video: its first bytes decide.
    pub fn doubts_type(&self, lane: usize) -> bool {
        self.lanes.get(lane).is_some_and(|lane| lane.other_type.is_some())
    }

    /// The first bytes of the file are those of an MP4, whatever the head said.
    pub fn is_a_video(&mut self, lane: usize) {
        if let Some((_, kind)) = self.lanes.get_mut(lane).and_then(|lane| lane.other_type.take()) {
            self.false_type = Some(kind);
        }
    }

    /// The first bytes of the file are not those of an MP4: an error page that calls itself a video, for example.
    pub fn not_a_video(&mut self, now: Time, lane: usize) {
        let other_type = self.lanes.get_mut(lane).and_then(|lane| lane.other_type.take());
        self.release(lane);
        if self.have.covered() == 0 && !self.is_reading() {
            // What the head said was about something else than the video.
            self.validators = Validators::default();
            self.announced = 0;
        }
        let error = if let Some((status, kind)) = other_type {
            not_video(status, format!("the answer is {kind}, not a video"))
        } else {
            let why = "the answer is not an MP4 by its first bytes; a save with verify off takes it as it is";
            // Seen just after SUCCESS, so it may pass.
            Error::new(ErrorKind::UnexpectedResponse, Phase::Content, why).with(|record| record.transient = true)
        };
        self.source_unusable(now, error);
    }

    /// True when the next byte of this lane is its first, and nothing but the request says where in the file it belongs.
    pub fn trusts_place(&self, lane: usize) -> bool {
        self.lanes.get(lane).is_some_and(
            |lane| matches!(lane.activity, Activity::Reading { pos, .. } if lane.unplaced && pos == lane.from),
        )
    }

    /// The bytes that should belong inside of the file are those that it begins with.
    pub fn misplaced(&mut self, now: Time, lane: usize) {
        let from = self.lanes.get(lane).map_or(0, |lane| lane.from);
        self.release(lane);
        let why =
            format!("bytes from {from} were asked for, and a part without Content-Range begins as the whole file");
        self.start_over(now, Error::new(ErrorKind::Integrity, Phase::Content, why));
    }

    fn judge(&mut self, lane: usize, head: &Head) -> Result<(), Objection> {
        let asked = match self.lanes.get(lane).map(|lane| &lane.activity) {
            Some(Activity::Opening { start, end, ranged }) => (*start, *end, *ranged),
            _ => return Err(Objection::Unneeded),
        };
        if !matches!(head.status, 200 | 206) {
            let why = format!("HTTP {} where a video was expected", head.status);
            return Err(Objection::NotVideo(not_video(head.status, why)));
        }
        if is_empty(head) && self.policy.wanted.is_none() {
            // Seen just after SUCCESS: the file is still written. Whatever is read of it, this is none of its lengths.
            return Err(Objection::NotVideo(not_video(head.status, "the answer is empty, not a video".to_owned())));
        }
        // A wrong type alone is no reason: some servers give one to every file. Without the first bytes it is all there is.
        let other = head.names_another_type().filter(|kind| self.false_type.as_deref() != Some(*kind));
        let Some(kind) = other.map(str::to_owned) else {
            return self.judge_part(lane, head, asked);
        };
        let alien = || Objection::NotVideo(not_video(head.status, format!("the answer is {kind}, not a video")));
        if head.status == 206 && asked.0 > 0 {
            return Err(alien());
        }
        self.judge_part(lane, head, asked).map_err(|objection| match objection {
            Objection::OtherFile(_) => alien(),
            other => other,
        })?;
        if let Some(lane) = self.lanes.get_mut(lane) {
            lane.other_type = Some((head.status, kind));
        }
        Ok(())
    }

    fn judge_part(&mut self, lane: usize, head: &Head, asked: (u64, Option<u64>, bool)) -> Result<(), Objection> {
        let (start, end, ranged) = asked;
        let (pos, body_end, total) = if head.status == 206 {
            self.partial(head, start, end)?
        } else {
            if ranged {
                self.ranges_honoured = Some(false);
                // The whole file again: of use only when nobody else is reading it.
                if self.active_lanes() > 1 {
                    return Err(Objection::Unneeded);
                }
            }
            (0, head.length, head.length)
        };
        // Whoever gets everything reads everything: asking for the next part would begin at the beginning again.
        let end = end.filter(|_| head.status == 206 || !ranged);
        let seen = Validators { etag: head.etag.clone(), last_modified: head.last_modified.clone(), total };
        if self.may_compare() && self.have.covered() == 0 && self.active_lanes() == 1 {
            // Nothing is there that it would have to agree with.
            self.validators = Validators::default();
        }
        if let Some(conflict) = self.validators.conflict(&seen) {
            let same_length = total.is_none_or(|total| self.validators.total.is_none_or(|known| known == total));
            // Nodes of one service may each have tags of their own. Then the bytes that both answers have are compared.
            let by_content = same_length && self.may_compare() && self.have.covered() > 0;
            if by_content && !self.by_content {
                // The next request takes in some of them.
                self.by_content = true;
                return Err(Objection::Unneeded);
            }
            if !by_content {
                return Err(Objection::OtherFile(format!("the file changed while it was read: {conflict}")));
            }
        }
        if let (Some(total), Some(last)) = (total, self.have.iter().last())
            && last.end > total
        {
            return Err(Objection::OtherFile(format!("the file has {total} bytes, but {} were read", last.end)));
        }
        if let (Some(total), Some(body_end)) = (self.validators.total, body_end)
            && body_end > total
        {
            return Err(Objection::OtherFile(format!("the file has {total} bytes, the answer goes to {body_end}")));
        }
        let named = self.by_content || same_name(&self.validators, &seen) || self.have.covered() == 0;
        self.validators.merge(&seen);
        self.length_told |= total.is_some();
        if head.length.is_some() || head.content_range.is_some() {
            self.announced = self.announced.max(body_end.unwrap_or_default());
        }
        // Beyond the asked end there may be another lane's part.
        let wanted_end = self.wanted().map(|wanted| wanted.end);
        let end = [end, body_end, wanted_end].into_iter().flatten().min();
        self.resumed |= self.have.covered() > 0 && self.active_lanes() == 1;
        if let Some(lane) = self.lanes.get_mut(lane) {
            lane.activity = Activity::Reading { pos, end, body_end };
            lane.gained = 0;
            lane.from = pos;
            lane.unplaced = head.status == 206 && head.content_range.is_none() && pos > 0;
            lane.unnamed = !named;
        }
        Ok(())
    }

    /// Start, end and total of a 206. Where the headers are hidden, what was asked for is what comes.
    fn partial(
        &mut self,
        head: &Head,
        start: u64,
        end: Option<u64>,
    ) -> Result<(u64, Option<u64>, Option<u64>), Objection> {
        if head.compressed {
            // A part of what was packed: nobody can unpack it, and it belongs nowhere in the file.
            let why = format!("bytes from {start} were asked for as they are, the answer is compressed");
            return Err(Objection::OtherFile(why));
        }
        let Some(text) = &head.content_range else {
            self.ranges_honoured = Some(true);
            let body_end = head.length.map(|length| start.saturating_add(length));
            // Of a file whose length is known the part has the length that was asked for. Another one is all that shows here
            // that the bytes are from another place.
            let asked_end = self.validators.total.map(|total| end.map_or(total, |end| end.min(total)));
            if let (Some(asked_end), Some(body_end)) = (asked_end, body_end)
                && body_end != asked_end
                && body_end > start
            {
                let (asked, came) = (asked_end.saturating_sub(start), body_end - start);
                return Err(Objection::OtherFile(format!("{asked} bytes were asked for, a part of {came} came")));
            }
            // An open range reaches to the end of the file. One that comes out shorter than asked may just be cut small.
            let total = body_end.filter(|_| end.is_none());
            return Ok((start, body_end.or(end), total));
        };
        match ContentRange::parse(text) {
            Some(ContentRangeHeader::Satisfied(range)) if range.start == start => {
                self.ranges_honoured = Some(true);
                let body_end = range.end_exclusive();
                if head.length.is_some_and(|length| length != range.byte_count()) {
                    return Err(Objection::OtherFile(format!(
                        "Content-Range \"{text}\" and Content-Length do not agree"
                    )));
                }
                Ok((start, Some(body_end), range.total))
            }
            _ => Err(Objection::OtherFile(format!("bytes from {start} were asked for, Content-Range is \"{text}\""))),
        }
    }
}

enum Objection {
    /// In order, but nobody needs it.
    Unneeded,
    /// Not a video at all.
    NotVideo(Error),
    /// Bytes of another file, or of another place in it.
    OtherFile(String),
}

fn not_video(status: u16, why: String) -> Error {
    Error::new(ErrorKind::UnexpectedResponse, Phase::Content, why).with(|record| {
        record.status = Some(status);
        record.transient = true;
    })
}

/// A whole answer without a byte.
pub(super) fn is_empty(head: &Head) -> bool {
    head.status == 200 && head.length == Some(0)
}

/// Something that both answers have names the version of the file.
fn same_name(known: &Validators, seen: &Validators) -> bool {
    known.etag.is_some() && seen.etag.is_some() || known.last_modified.is_some() && seen.last_modified.is_some()
}
