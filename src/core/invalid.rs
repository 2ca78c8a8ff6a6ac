//! Validation at the door: what is wrong, field by field, all of it at once.

use std::fmt;

/// One field that can't be taken as it is.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Invalid {
    /// The field, with the name it has in the configuration and the API (`image.base_image`).
    pub field: String,
    /// What is wrong with it and what is allowed.
    pub problem: String,
}

/// Everything that is wrong with one input; never empty when returned as an error.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Problems(pub Vec<Invalid>);

impl Problems {
    /// Notes one more problem.
    pub fn add(&mut self, field: impl Into<String>, problem: impl Into<String>) {
        self.0.push(Invalid { field: field.into(), problem: problem.into() });
    }

    /// Notes what `check` says about a field, if it says anything.
    pub fn check<T>(&mut self, field: &str, check: Result<T, String>) -> Option<T> {
        check.map_err(|problem| self.add(field, problem)).ok()
    }

    /// `Ok` when nothing was noted.
    pub fn into_result(self) -> Result<(), Self> {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, p) in self.0.iter().enumerate() {
            let sep = if i == 0 { "" } else { "; " };
            write!(f, "{sep}{}: {}", p.field, p.problem)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
