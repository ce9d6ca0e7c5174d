//! The types of parameters that core reads.

/// The type of an option.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// `str`
    Text,
    /// A sequence of `str`
    Texts,
    /// A mapping of `str` to `str`
    Headers,
    /// `str` or `os.PathLike`
    Path,
    /// `int`
    Int,
    /// `float`
    Number,
    /// `bool`
    Bool,
}
