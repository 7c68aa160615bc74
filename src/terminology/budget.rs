//! How much work one question may cause.

use super::{MAX_STEPS, TerminologyError};

/// The steps that are left.
pub struct Budget(usize);

impl Budget {
    pub fn full() -> Budget {
        Budget(MAX_STEPS)
    }

    /// Takes `steps` off, or tells that fewer are left.
    pub fn spend(&mut self, steps: usize) -> Result<(), TerminologyError> {
        self.0 = self.0.checked_sub(steps).ok_or(TerminologyError::TooManySteps)?;
        Ok(())
    }
}
