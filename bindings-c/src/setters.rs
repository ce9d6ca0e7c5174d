//! Which function of C set which option.

use crate::error_handle::jfai_error;
use crate::failure::Failure;

/// Which function of C set which option, by the core's name of the option: a refusal names what the caller wrote.
#[derive(Debug, Clone, Default)]
pub(crate) struct Setters(Vec<(&'static str, &'static str)>);

impl Setters {
    /// Notes that this function set the option; the last one counts.
    pub(crate) fn note(&mut self, option: &'static str, function: &'static str) {
        self.0.retain(|(known, _)| *known != option);
        self.0.push((option, function));
    }

    /// The function that set the option which this error refuses, if it is one of these.
    pub(crate) fn of(&self, error: &junfeiai::Error) -> Option<&'static str> {
        let refused = error.record().field.as_deref()?;
        self.0.iter().find(|(option, _)| *option == refused).map(|(_, function)| *function)
    }

    /// The failure, with that function's name in front.
    pub(crate) fn named(&self, failure: Failure) -> Failure {
        match failure {
            Failure::Core(error) => match self.of(&error) {
                Some(setter) => Failure::Refused(error, setter),
                None => Failure::Core(error),
            },
            failure => failure,
        }
    }

    /// The error object of a call that was made with these options.
    pub(crate) fn error(&self, error: junfeiai::Error) -> Box<jfai_error> {
        Box::new(jfai_error::of(&error, self.of(&error)))
    }
}
