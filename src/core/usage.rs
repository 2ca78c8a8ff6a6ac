//! Tokens and money, as integers.

use std::{fmt, ops};

use serde::{Deserialize, Serialize};

/// Millionths of a dollar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MicroDollars(pub u64);

impl MicroDollars {
    /// From the CLI's dollars. What is no amount (negative, not a number) counts as nothing; what no bill reaches is
    /// cut at a billion dollars.
    pub fn from_dollars(dollars: f64) -> Self {
        if !dollars.is_finite() || dollars <= 0.0 {
            return Self(0);
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded by the two lines above")]
        Self((dollars.min(1e9) * 1e6).round() as u64)
    }
}

impl ops::Add for MicroDollars {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

/// `$0.031`: three decimals below a dollar, since most turns cost cents; two above.
impl fmt::Display for MicroDollars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / 1_000_000, self.0 % 1_000_000);
        if whole == 0 {
            write!(f, "$0.{:03}", (part + 500) / 1000 % 1000)
        } else {
            write!(f, "${whole}.{:02}", part / 10_000)
        }
    }
}

/// What a result adds to the bill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens sent, cached or not.
    pub input_tokens: u64,
    /// Tokens answered.
    pub output_tokens: u64,
    /// Money.
    pub cost: MicroDollars,
}

impl Usage {
    /// What came since an earlier total of the same session. A total that shrank is a new baseline: it counts whole.
    pub fn since(self, earlier: Self) -> Self {
        if self.cost < earlier.cost || self.output_tokens < earlier.output_tokens {
            return self;
        }
        Self {
            input_tokens: self.input_tokens.saturating_sub(earlier.input_tokens),
            output_tokens: self.output_tokens - earlier.output_tokens,
            cost: MicroDollars(self.cost.0 - earlier.cost.0),
        }
    }
}

/// Two turns' worth.
impl ops::Add for Usage {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            input_tokens: self.input_tokens.saturating_add(other.input_tokens),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
            cost: self.cost + other.cost,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case(0.0142866, 14_287)]
    #[case(-1.0, 0)]
    #[case(f64::NAN, 0)]
    #[case(f64::INFINITY, 0)]
    fn dollars_become_integers(#[case] dollars: f64, #[case] micro: u64) {
        assert_eq!(MicroDollars::from_dollars(dollars), MicroDollars(micro));
    }

    #[rstest::rstest]
    #[case(0, "$0.000")]
    #[case(31_400, "$0.031")]
    #[case(3_948_833, "$3.94")]
    fn shown_as_people_read_it(#[case] micro: u64, #[case] shown: &str) {
        assert_eq!(MicroDollars(micro).to_string(), shown);
    }

    #[test]
    fn a_smaller_total_is_a_new_baseline() {
        let total = |cost, output_tokens| Usage { input_tokens: 0, output_tokens, cost: MicroDollars(cost) };
        assert_eq!(total(30, 3).since(total(10, 1)), total(20, 2));
        assert_eq!(total(5, 1).since(total(10, 3)), total(5, 1));
    }
}
