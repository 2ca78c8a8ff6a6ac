//! What was left out, or went wrong, path by path.

/// Errors that are told one by one: as many as anybody reads.
const MAX: usize = 100;

/// Errors of single files.
#[derive(Debug, Default)]
pub struct Errors {
    told: Vec<String>,
    more: u64,
}

impl Errors {
    /// Tells one more; what was said already isn't said again.
    pub fn push(&mut self, path: &[u8], what: &str) {
        let line = format!("{}: {what}", String::from_utf8_lossy(path));
        if self.told.contains(&line) {
            return;
        }
        if self.told.len() < MAX {
            self.told.push(line);
        } else {
            self.more += 1;
        }
    }

    /// All of them, as they are told.
    pub fn into_lines(mut self) -> Vec<String> {
        if self.more > 0 {
            self.told.push(format!("and {} more", self.more));
        }
        self.told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_errors_are_counted() {
        let mut errors = Errors::default();
        (0..MAX + 7).for_each(|n| errors.push(format!("f{n}").as_bytes(), "no"));
        errors.push(b"f1", "no");
        let lines = errors.into_lines();
        assert_eq!((lines.len(), lines[0].as_str(), lines[MAX].as_str()), (MAX + 1, "f0: no", "and 7 more"));
    }
}
