//! Saving a video: one saver over a [`Storage`](crate::storage::Storage), for files of this machine and those that somebody else
//! brings.

#[cfg(feature = "journal")]
pub(crate) mod existing;
#[cfg(feature = "native")]
pub(crate) mod file;
#[cfg(feature = "journal")]
pub(crate) mod file_name;
mod files;
mod lock;
#[cfg(feature = "native")]
pub(crate) mod meter;
mod part_file;
pub(crate) mod saver;
#[cfg(feature = "native")]
pub(crate) mod setters;
#[cfg(feature = "native")]
pub(crate) mod summary;
#[cfg(feature = "native")]
mod target;
