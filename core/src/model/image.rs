//! Input images: a URL that the service fetches, or bytes that travel inside the request.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::error::{Error, ErrorKind, Phase, Result};

/// The image types that the models take (observed).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImageType {
    /// `image/png`
    Png,
    /// `image/jpeg`
    Jpeg,
    /// `image/webp`
    Webp,
}

impl ImageType {
    /// Recognises an image by its first bytes; names of files are not trusted.
    pub fn sniff(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
            Some(Self::Png)
        } else if bytes.starts_with(b"\xff\xd8\xff") {
            Some(Self::Jpeg)
        } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
            Some(Self::Webp)
        } else {
            None
        }
    }

    /// Its media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Webp => "image/webp",
        }
    }
}

/// An image as the request carries it: an http(s) URL or a `data:` URL.
#[derive(Clone, PartialEq, Eq)]
pub struct Image(String);

impl Image {
    /// An image that the service fetches itself. What the URL holds is checked when the request is.
    pub fn url(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    /// An image of these bytes, sent inside the request as a `data:` URL (a third larger than the bytes).
    ///
    /// # Errors
    /// `invalid_request` when the bytes are not PNG, JPEG or WebP.
    pub fn bytes(bytes: &[u8]) -> Result<Self> {
        let kind = ImageType::sniff(bytes).ok_or_else(|| {
            Error::field(
                ErrorKind::InvalidRequest,
                Phase::Create,
                "image",
                "the image is not PNG, JPEG or WebP by its first bytes",
            )
        })?;
        Ok(Self(format!("data:{};base64,{}", kind.media_type(), BASE64.encode(bytes))))
    }

    /// An image file of this machine, read now and sent inside the request.
    ///
    /// # Errors
    /// `io` when it cannot be read; `invalid_request` when it is not PNG, JPEG or WebP.
    #[cfg(feature = "native")]
    pub fn file(path: impl AsRef<std::path::Path>) -> Result<Self> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|error| {
            Error::field(
                ErrorKind::Io,
                Phase::Create,
                "image",
                format!("the image {} cannot be read: {error}", path.display()),
            )
        })?;
        Self::bytes(&bytes)
    }

    /// The text that the request carries.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True for an http(s) URL or a `data:` URL of a type that the models take.
    pub(crate) fn is_valid(&self) -> bool {
        if let Some(rest) = self.0.strip_prefix("data:") {
            return ["image/png", "image/jpeg", "image/webp"].iter().any(|kind| {
                rest.strip_prefix(kind)
                    .and_then(|rest| rest.strip_prefix(";base64,"))
                    .is_some_and(|data| !data.is_empty() && BASE64.decode(data).is_ok())
            });
        }
        crate::net::url::Url::parse(&self.0).is_ok()
    }
}

impl From<&str> for Image {
    fn from(url: &str) -> Self {
        Self::url(url)
    }
}

impl From<String> for Image {
    fn from(url: String) -> Self {
        Self::url(url)
    }
}

/// A `data:` URL is megabytes of somebody's picture: its `Debug` shows the length.
impl std::fmt::Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.starts_with("data:") {
            write!(f, "Image(data: {} bytes)", self.0.len())
        } else {
            write!(f, "Image({:?})", self.0.split('?').next().unwrap_or_default())
        }
    }
}
