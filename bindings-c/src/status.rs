//! The numbers that C sees. The kinds of errors are the core's; this file adds what only C can get wrong.
//!
//! The header tool reads this file too, and writes the core's table and these into `junfeiai.h`.

/// `JFAI_OK`, or why a function failed: one of the `JFAI_ERR_` numbers. They never change; new ones may come.
pub type jfai_status = i32;

/// It worked.
pub(crate) const OK: jfai_status = 0;

/// A misuse that only C allows: `(number, name, what to do next)`.
pub(crate) const ARGUMENT: (jfai_status, &str, &str) =
    (1, "argument", "an argument is NULL, not UTF-8 or out of range; the message names it");
/// The handle was made before `fork()`.
pub(crate) const FORKED: (jfai_status, &str, &str) =
    (2, "forked", "the handle is from before fork(); make a new client in this process");

/// The program was compiled with the header of another version.
pub(crate) const VERSION: (jfai_status, &str, &str) = (
    3,
    "version",
    "compile the program with the header of the library that it loads, or install the library of its header",
);

/// What C adds to the core's table of kinds.
pub(crate) const OWN: [(jfai_status, &str, &str); 3] = [ARGUMENT, FORKED, VERSION];
