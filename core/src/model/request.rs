//! The request for a video.

use std::fmt;

use serde_json::{Map, Value};

use super::image::Image;
use crate::error::{ErrorKind, Phase, Result};
use crate::text::decimal;
use crate::text::fields::Fields;

/// The general model: text, one image or several reference images to video.
pub const MODEL_IMAGE_VIDEO: &str = "grok-image-video";
/// The flagship: one image to video only, costs more.
pub const MODEL_VIDEO_1_5: &str = "grok-video-1.5";
/// The models that the service document names.
pub const KNOWN_MODELS: &[&str] = &[MODEL_IMAGE_VIDEO, MODEL_VIDEO_1_5];

/// How strictly a request is checked before it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Validate {
    /// What would be a warning is refused too.
    Strict,
    /// What the document requires is refused, what it advises is a warning.
    #[default]
    Default,
    /// Everything goes through as it is; the length still travels as a string.
    Off,
}

impl Validate {
    /// The level of this name: `strict`, `default` or `off`.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "strict" => Some(Self::Strict),
            "default" => Some(Self::Default),
            "off" => Some(Self::Off),
            _ => None,
        }
    }
}

/// A length in seconds as the caller wrote it. It always travels as a string: as a JSON number it is refused.
#[derive(Clone, PartialEq, Eq)]
pub struct Length(String);

impl Length {
    /// The text as it travels.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The seconds, where the text is a plain decimal number such as `6` or `6.5`.
    pub fn seconds(&self) -> Option<f64> {
        decimal::read(&self.0)
    }

    /// The same number always gives the same text: `6`, `6.0` and `06` travel as `6`.
    pub(crate) fn normalized(&self) -> Option<Self> {
        self.seconds().map(Self::from)
    }
}

impl From<u32> for Length {
    fn from(seconds: u32) -> Self {
        Self(seconds.to_string())
    }
}

impl From<f64> for Length {
    fn from(seconds: f64) -> Self {
        Self(decimal::Decimal(seconds).to_string())
    }
}

impl From<&str> for Length {
    fn from(text: &str) -> Self {
        Self(text.trim().to_owned())
    }
}

impl fmt::Debug for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An order for one video. Every field but the prompt has a default or may be left out.
///
/// ```
/// use junfeiai::VideoRequest;
/// let request = VideoRequest::new("A small red ball bouncing once").seconds(6).size("1280x720");
/// let prepared = request.prepare()?;
/// assert!(prepared.warnings.is_empty());
/// # Ok::<(), junfeiai::Error>(())
/// ```
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct VideoRequest {
    /// The model (service document §2). Default `grok-image-video`.
    pub model: String,
    /// What the video shows. Known models take up to 4096 characters.
    pub prompt: String,
    /// Length in seconds. Known models make whole seconds from 1 to 15 (10 with several reference images); without
    /// it the server makes and bills 4 s.
    pub seconds: Option<Length>,
    /// The same under its other name; give one of the two.
    pub duration: Option<Length>,
    /// Frame size such as `1280x720`: advice to the model, which may answer with another.
    pub size: Option<String>,
    /// The one image to start from; `grok-video-1.5` needs it.
    pub image: Option<Image>,
    /// Up to 7 reference images, for `grok-image-video`.
    pub images: Vec<Image>,
    /// Further JSON fields, passed on to the model as they are.
    pub extra: Map<String, Value>,
    /// How strictly the request is checked before it is sent.
    pub validate: Validate,
    /// The caller's own name for the job, at most 200 bytes: a task is created **once per key**, whoever asks, however
    /// often, in whatever process shares the client's journal. A later request with the same key gives the same task; one
    /// that differs is refused with `idempotency_conflict`. Needs a journal. It is not sent to the service.
    pub key: Option<String>,
    /// Creates another task under the key when the key's task failed.
    pub retry_failed: bool,
}

fn default_model() -> String {
    MODEL_IMAGE_VIDEO.to_owned()
}

impl VideoRequest {
    /// An order with this prompt and every default.
    pub fn new(prompt: impl Into<String>) -> Self {
        Self {
            model: default_model(),
            prompt: prompt.into(),
            seconds: None,
            duration: None,
            size: None,
            image: None,
            images: Vec::new(),
            extra: Map::new(),
            validate: Validate::Default,
            key: None,
            retry_failed: false,
        }
    }

    /// An order from JSON with the field names of this record, as the bindings hand it over.
    ///
    /// # Errors
    /// `invalid_request` naming an unknown field or one of a wrong type.
    pub fn from_json(value: Value) -> Result<Self> {
        let mut fields = Fields::of(value, ErrorKind::InvalidRequest, Phase::Create, "the request")?;
        let length = |value: Option<Value>| {
            value.map(|value| match value {
                Value::String(text) => Length::from(text.as_str()),
                number => Length(crate::text::json::write(&number)),
            })
        };
        let request = Self {
            model: fields.text("model")?.unwrap_or_else(default_model),
            prompt: fields.text("prompt")?.unwrap_or_default(),
            seconds: length(fields.scalar("seconds")?),
            duration: length(fields.scalar("duration")?),
            size: fields.text("size")?,
            image: fields.text("image")?.map(Image::url),
            images: fields.texts("images")?.unwrap_or_default().into_iter().map(Image::url).collect(),
            extra: fields.object("extra")?,
            validate: match fields.text("validate")? {
                None => Validate::Default,
                Some(word) => Validate::from_name(&word)
                    .ok_or_else(|| fields.refuse("validate", "validate must be \"strict\", \"default\" or \"off\""))?,
            },
            key: fields.text("key")?,
            retry_failed: fields.flag("retry_failed")?.unwrap_or_default(),
        };
        fields.end("fields of a request")?;
        Ok(request)
    }

    /// Sets the model.
    #[must_use]
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.model = model.into();
        self
    }

    /// Sets the length in seconds.
    #[must_use]
    pub fn seconds(mut self, seconds: impl Into<Length>) -> Self {
        self.seconds = Some(seconds.into());
        self
    }

    /// Sets the frame size, such as `1280x720`.
    #[must_use]
    pub fn size(mut self, size: impl Into<String>) -> Self {
        self.size = Some(size.into());
        self
    }

    /// Sets the one image to start from.
    #[must_use]
    pub fn image(mut self, image: impl Into<Image>) -> Self {
        self.image = Some(image.into());
        self
    }

    /// Adds a reference image.
    #[must_use]
    pub fn reference(mut self, image: impl Into<Image>) -> Self {
        self.images.push(image.into());
        self
    }

    /// Adds a further JSON field, passed on to the model as it is.
    #[must_use]
    pub fn extra(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.extra.insert(name.into(), value.into());
        self
    }

    /// Sets the key under which the task is created once, see [`VideoRequest::key`](VideoRequest#structfield.key).
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Sets whether another task is created under the key when the key's task failed.
    #[must_use]
    pub fn retry_failed(mut self, yes: bool) -> Self {
        self.retry_failed = yes;
        self
    }

    /// Sets how strictly the request is checked before it is sent.
    #[must_use]
    pub fn validate(mut self, validate: Validate) -> Self {
        self.validate = validate;
        self
    }
}

impl From<&str> for VideoRequest {
    fn from(prompt: &str) -> Self {
        Self::new(prompt)
    }
}

/// Prompts are the users' own: the `Debug` form shows their length.
impl fmt::Debug for VideoRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VideoRequest")
            .field("model", &self.model)
            .field("prompt", &format_args!("{} characters", self.prompt.chars().count()))
            .field("seconds", &self.seconds.as_ref().or(self.duration.as_ref()))
            .field("size", &self.size)
            .field("image", &self.image)
            .field("images", &self.images)
            .field("validate", &self.validate)
            .finish_non_exhaustive()
    }
}
