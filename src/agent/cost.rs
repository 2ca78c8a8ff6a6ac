//! What the CLI says that a turn cost: dollars as floating-point numbers, by model, cumulative over a process and over
//! resumes. Here they become [`Usage`].

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::core::{MicroDollars, Usage};

/// Tokens and money of one model.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ModelUsage {
    /// Tokens sent that no cache held.
    pub input_tokens: u64,
    /// Tokens answered.
    pub output_tokens: u64,
    /// Tokens read from the cache.
    pub cache_read_input_tokens: u64,
    /// Tokens written to it.
    pub cache_creation_input_tokens: u64,
    /// Dollars.
    #[serde(rename = "costUSD")]
    pub cost_usd: f64,
}

/// All models together.
pub fn sum(models: &BTreeMap<String, ModelUsage>) -> Usage {
    models.values().fold(Usage::default(), |sum, m| {
        let input = [m.input_tokens, m.cache_read_input_tokens, m.cache_creation_input_tokens];
        sum + Usage {
            input_tokens: input.into_iter().fold(0, u64::saturating_add),
            output_tokens: m.output_tokens,
            cost: MicroDollars::from_dollars(m.cost_usd),
        }
    })
}
