//! What is checked before money is spent.
//!
//! The server accepts senseless lengths and bills them (observed: `"6s"` and `"-5"` as 4 s, `"3600"` as 3600 s), so
//! the check has to be here. What the document requires is refused; what it merely advises is a warning.

use std::fmt;

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value};

use super::image::Image;
use super::request::{KNOWN_MODELS, Length, MODEL_IMAGE_VIDEO, MODEL_VIDEO_1_5, Validate, VideoRequest};
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::text::decimal::Decimal;

/// Longest prompt of the known models, in characters (observed).
const MAX_PROMPT: usize = 4096;
/// Most reference images (observed).
const MAX_IMAGES: usize = 7;
/// Longest video of the known models, in seconds (observed); with several reference images it is less.
const MAX_SECONDS: f64 = 15.0;
const MAX_SECONDS_SEVERAL_IMAGES: f64 = 10.0;
const COMMON_SECONDS: [f64; 5] = [4.0, 6.0, 8.0, 10.0, 15.0];
const COMMON_SHAPES: [(u32, u32); 7] = [(16, 9), (9, 16), (1, 1), (4, 3), (3, 4), (3, 2), (2, 3)];
const KNOWN_FIELDS: [&str; 7] = ["model", "prompt", "seconds", "duration", "size", "image", "images"];

/// Which advice a request does not follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WarningCode {
    /// A segment model is named; the document advises against these.
    SegmentModel,
    /// The shape is not one that is usual for the model.
    UnusualShape,
    /// The length is not one of the usual ones.
    UnusualLength,
    /// The server billed another length than was asked for.
    BilledSecondsDiffer,
    /// The task exists, but the journal could not keep its id.
    JournalFailed,
    /// A limit on the cost is set, but the price is not known.
    PriceUnknown,
}

impl WarningCode {
    /// The stable name, the same in every language.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SegmentModel => "segment_model",
            Self::UnusualShape => "unusual_shape",
            Self::UnusualLength => "unusual_length",
            Self::BilledSecondsDiffer => "billed_seconds_differ",
            Self::JournalFailed => "journal_failed",
            Self::PriceUnknown => "price_unknown",
        }
    }
}

/// Something that works but is advised against, or that the caller should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Warning {
    /// Which advice it is.
    pub code: WarningCode,
    /// One line for people.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// A request that was found in order, ready to be sent.
#[derive(Clone)]
#[non_exhaustive]
pub struct Prepared {
    /// The JSON body.
    pub body: Bytes,
    /// Advice that the request does not follow.
    pub warnings: Vec<Warning>,
    /// The length asked for.
    pub seconds: Option<Length>,
    /// The model asked for.
    pub model: String,
    /// What the server will bill by.
    #[cfg(feature = "prices")]
    pub(crate) billed: Billed,
}

/// What the server will bill a request by.
#[cfg(feature = "prices")]
#[derive(Clone)]
pub(crate) struct Billed {
    pub(crate) seconds: u64,
    pub(crate) size: Option<String>,
    /// What the caller should know where the seconds are not those asked for.
    pub(crate) note: Option<String>,
}

#[cfg(feature = "prices")]
impl Billed {
    /// As the service counts (observed): `seconds` first, `duration` where that says nothing, 4 where neither makes sense.
    fn by(body: &Map<String, Value>) -> Self {
        let text = |name| body.get(name).and_then(Value::as_str);
        let asked = text("seconds").or_else(|| text("duration"));
        let named = text("seconds").and_then(|text| text.parse::<i64>().ok()).unwrap_or_default();
        let duration = || match body.get("duration") {
            Some(Value::Number(number)) => number.as_i64(),
            Some(Value::String(text)) => text.trim().parse().ok(),
            _ => None,
        };
        let seconds = if named == 0 { duration().unwrap_or_default() } else { named };
        let billed = u64::try_from(seconds).unwrap_or_default();
        let (seconds, note) = match (billed, asked) {
            (0, None) => (4, Some("no length is given: the server bills 4 s".to_owned())),
            (0, Some(asked)) => {
                let asked = crate::error::one_line(asked);
                (4, Some(format!("the server cannot read \"{asked}\" as whole seconds and bills 4 s")))
            }
            (billed, _) => (billed, None),
        };
        Self { seconds, size: text("size").map(str::to_owned), note }
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The body holds the prompt.
        f.debug_struct("Prepared")
            .field("model", &self.model)
            .field("body_bytes", &self.body.len())
            .field("warnings", &self.warnings)
            .finish_non_exhaustive()
    }
}

fn refuse(field: &'static str, message: impl Into<String>) -> Error {
    Error::field(ErrorKind::InvalidRequest, Phase::Create, field, message)
}

impl VideoRequest {
    /// Checks the request and writes its body. Nothing is sent.
    ///
    /// # Errors
    /// `invalid_request` naming the field that is at fault.
    pub fn prepare(&self) -> Result<Prepared> {
        let off = self.validate == Validate::Off;
        let warnings = if off { Vec::new() } else { self.check()? };
        if self.validate == Validate::Strict
            && let Some(warning) = warnings.first()
        {
            let field = match warning.code {
                WarningCode::SegmentModel => "model",
                WarningCode::UnusualShape => "size",
                WarningCode::UnusualLength | WarningCode::BilledSecondsDiffer => self.length_field(),
                WarningCode::JournalFailed => "journal",
                WarningCode::PriceUnknown => "max_cost",
            };
            return Err(refuse(field, warning.message.clone()));
        }
        let length = self.seconds.as_ref().or(self.duration.as_ref());
        let sent_length = if off { length.cloned() } else { length.and_then(Length::normalized) };
        let mut body = Map::new();
        body.insert("model".into(), self.model.as_str().into());
        body.insert("prompt".into(), self.prompt.as_str().into());
        if let Some(length) = &sent_length {
            body.insert("seconds".into(), length.as_str().into());
        }
        // With checks off both names travel, as the caller wrote them.
        if off && let (Some(_), Some(duration)) = (&self.seconds, &self.duration) {
            body.insert("duration".into(), duration.as_str().into());
        }
        if let Some(size) = &self.size {
            let size = if off { size.clone() } else { normal_size(size).map_or_else(|| size.clone(), |s| s.text) };
            body.insert("size".into(), size.into());
        }
        let (image, images) = if off { (self.image.as_ref(), self.images.as_slice()) } else { self.placed_images() };
        if let Some(image) = image {
            body.insert("image".into(), image.as_str().into());
        }
        if !images.is_empty() {
            body.insert(
                "images".into(),
                images.iter().map(|image| image.as_str().into()).collect::<Vec<Value>>().into(),
            );
        }
        for (name, value) in &self.extra {
            body.entry(name.clone()).or_insert_with(|| value.clone());
        }
        #[cfg(feature = "prices")]
        let billed = Billed::by(&body);
        Ok(Prepared {
            #[cfg(feature = "prices")]
            billed,
            body: crate::text::json::write(&Value::Object(body)).into(),
            warnings,
            seconds: length.cloned(),
            model: self.model.clone(),
        })
    }

    /// `grok-video-1.5` reads `image` only: a single entry of `images` means the same.
    fn placed_images(&self) -> (Option<&Image>, &[Image]) {
        match (&self.image, self.images.as_slice()) {
            (None, [only]) if self.model == MODEL_VIDEO_1_5 => (Some(only), &[]),
            (image, images) => (image.as_ref(), images),
        }
    }

    fn check(&self) -> Result<Vec<Warning>> {
        let mut warnings = Vec::new();
        if self.model.trim().is_empty() {
            return Err(refuse("model", format!("the model is empty; use \"{MODEL_IMAGE_VIDEO}\"")));
        }
        let known = KNOWN_MODELS.contains(&self.model.as_str());
        warnings.extend(segment_model(&self.model));
        if self.prompt.trim().is_empty() {
            return Err(refuse("prompt", "the prompt is empty"));
        }
        let characters = self.prompt.chars().count();
        if known && characters > MAX_PROMPT {
            return Err(refuse(
                "prompt",
                format!("the prompt has {characters} characters; the model takes {MAX_PROMPT}"),
            ));
        }
        self.check_images(known)?;
        warnings.extend(self.check_length(known)?);
        if let Some(size) = &self.size {
            warnings.extend(check_size(&self.model, size)?);
        }
        if let Some(name) = self.extra.keys().find(|name| KNOWN_FIELDS.contains(&name.as_str())) {
            return Err(refuse("extra", format!("the extra field \"{name}\" has an option of its own; use that")));
        }
        Ok(warnings)
    }

    fn check_images(&self, known: bool) -> Result<()> {
        if self.image.is_some() && !self.images.is_empty() {
            return Err(refuse("images", "both image and images are given; give one of them"));
        }
        if self.model == MODEL_VIDEO_1_5 {
            if self.image.is_none() && self.images.is_empty() {
                return Err(refuse("image", format!("{MODEL_VIDEO_1_5} makes a video from one image; give image")));
            }
            if self.images.len() > 1 {
                return Err(refuse(
                    "images",
                    format!("{MODEL_VIDEO_1_5} takes one image; for several use {MODEL_IMAGE_VIDEO}"),
                ));
            }
        }
        if known && self.images.len() > MAX_IMAGES {
            return Err(refuse(
                "images",
                format!("{} reference images; the model takes {MAX_IMAGES}", self.images.len()),
            ));
        }
        let wrong = "is not an http(s) URL or a data: URL of PNG, JPEG or WebP: give a local file as its bytes";
        if self.image.as_ref().is_some_and(|image| !image.is_valid()) {
            return Err(refuse("image", format!("the image {wrong}")));
        }
        if let Some(at) = self.images.iter().position(|image| !image.is_valid()) {
            return Err(refuse("images", format!("reference image {} {wrong}", at + 1)));
        }
        Ok(())
    }

    /// The name under which the caller gave the length.
    fn length_field(&self) -> &'static str {
        if self.seconds.is_none() && self.duration.is_some() { "duration" } else { "seconds" }
    }

    fn check_length(&self, known: bool) -> Result<Option<Warning>> {
        let length_name = if self.length_field() == "duration" { "duration" } else { "length" };
        let read = |length: &Length| {
            length.seconds().filter(|seconds| *seconds > 0.0).map(Decimal).ok_or_else(|| {
                refuse(
                    self.length_field(),
                    format!("the {length_name} \"{}\" is not a positive number of seconds", length.as_str()),
                )
            })
        };
        let seconds = match (&self.seconds, &self.duration) {
            (None, None) => return Ok(None),
            (Some(one), None) | (None, Some(one)) => read(one)?,
            (Some(seconds), Some(duration)) => {
                let (seconds, duration) = (read(seconds)?, read(duration)?);
                if seconds.0.to_bits() != duration.0.to_bits() {
                    return Err(refuse(
                        "seconds",
                        format!("seconds is {seconds} but duration is {duration}; give one of them"),
                    ));
                }
                seconds
            }
        };
        if known {
            let most = if self.images.len() >= 2 { MAX_SECONDS_SEVERAL_IMAGES } else { MAX_SECONDS };
            if seconds.0.fract() != 0.0 || seconds.0 < 1.0 || seconds.0 > most {
                let most = Decimal(most);
                return Err(refuse(
                    self.length_field(),
                    format!(
                        "the {length_name} {seconds} s is not one that the model makes: whole seconds from 1 to {most}"
                    ),
                ));
            }
        }
        let common = COMMON_SECONDS.iter().any(|common| common.to_bits() == seconds.0.to_bits());
        Ok((!common).then(|| Warning {
            code: WarningCode::UnusualLength,
            message: format!("{seconds} s is not one of the usual lengths 4, 6, 8, 10 and 15 s"),
        }))
    }
}

struct Size {
    width: u32,
    height: u32,
    text: String,
}

fn normal_size(size: &str) -> Option<Size> {
    let (width, height) = size.trim().split_once(['x', 'X', '×', '*'])?;
    let number = |text: &str| {
        let text = text.trim();
        let valid = !text.is_empty() && text.len() <= 6 && text.bytes().all(|b| b.is_ascii_digit());
        if valid { text.parse::<u32>().ok().filter(|n| *n > 0) } else { None }
    };
    let (width, height) = (number(width)?, number(height)?);
    Some(Size { width, height, text: format!("{width}x{height}") })
}

fn check_size(model: &str, size: &str) -> Result<Option<Warning>> {
    let Some(parsed) = normal_size(size) else {
        return Err(refuse("size", format!("the size \"{size}\" is not WIDTHxHEIGHT, such as 1280x720")));
    };
    let usual: &[(u32, u32)] = if model == MODEL_VIDEO_1_5 { &COMMON_SHAPES[..2] } else { &COMMON_SHAPES };
    let shape = f64::from(parsed.width) / f64::from(parsed.height);
    // One per cent of room: 854x480 is what 16:9 comes to in even numbers.
    let is_usual = usual.iter().any(|(w, h)| (shape / (f64::from(*w) / f64::from(*h)) - 1.0).abs() <= 0.01);
    Ok((!is_usual).then(|| Warning {
        code: WarningCode::UnusualShape,
        message: format!(
            "{} is not one of the shapes usual for {model}: {}",
            parsed.text,
            usual.iter().map(|(w, h)| format!("{w}:{h}")).collect::<Vec<_>>().join(", ")
        ),
    }))
}

/// Names such as `grok-image-video-6s-8s`: the server picks these by itself from `seconds`.
fn segment_model(model: &str) -> Option<Warning> {
    let lower = model.to_ascii_lowercase();
    let is_segment = |part: &str| {
        part.strip_suffix('s').is_some_and(|n| (1..=3).contains(&n.len()) && n.bytes().all(|b| b.is_ascii_digit()))
    };
    let mut parts: Vec<&str> = lower.split('-').collect();
    let mut segments: Vec<&str> = Vec::new();
    while parts.len() > 1 && parts.last().is_some_and(|part| is_segment(part)) {
        segments.extend(parts.pop());
    }
    let longest = segments.first()?.trim_end_matches('s');
    let base = parts.join("-");
    let base = KNOWN_MODELS.iter().copied().find(|known| *known == base).unwrap_or(MODEL_IMAGE_VIDEO);
    Some(Warning {
        code: WarningCode::SegmentModel,
        message: format!(
            "{model} is a segment model, which is not recommended; use model \"{base}\" with seconds \"{longest}\""
        ),
    })
}

#[cfg(feature = "journal")]
impl Prepared {
    /// SHA-256 of the body in hexadecimal: what the journal knows a request by, see [`Pending`](crate::Pending).
    pub fn fingerprint(&self) -> String {
        use sha2::{Digest as _, Sha256};
        format!("{:x}", Sha256::digest(&self.body))
    }
}
