//! Saving from the handles.

use std::path::Path;

use serde_json::Value;

use crate::client::video::Video;
use crate::client::videos::Videos;
use crate::error::Result;
use crate::save::file::Save;
use crate::video::fetch::Source;

impl Video {
    /// Saves the video under this name. Await it, after setting what differs from the defaults.
    pub fn save(&self, path: impl AsRef<Path>) -> Save {
        Save::new(self.client.core.clone(), self.source.clone(), path.as_ref(), self.saved.clone())
    }
}

impl Videos {
    /// Judges where a video that does not exist yet shall be saved, and how: call it before a create that you pay for.
    /// `options` are those of [`Save::options_json`]. Asks nothing of the server and leaves nothing behind. An answer for
    /// this moment: the disk may be full when the video is there, which [`Video::save`] then says.
    ///
    /// ```
    /// # let client = junfeiai::Client::new("sk-1")?;
    /// let options = serde_json::json!({"connections": 99});
    /// let error = client.videos().check_save("ball.mp4", options).unwrap_err();
    /// assert_eq!(error.record().field.as_deref(), Some("connections"));
    /// # Ok::<(), junfeiai::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Save::options_json`] and of [`Save::check`].
    pub fn check_save(&self, path: impl AsRef<Path>, options: Value) -> Result<()> {
        let video = Video::new(self.client.clone(), Source::default());
        video.save(path).options_json(options)?.check()
    }
}
