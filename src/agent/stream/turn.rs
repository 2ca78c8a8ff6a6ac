//! A turn's begin and end.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{agent::cost::ModelUsage, core::Untrusted};

/// `system/init`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Init {
    /// The session, to resume by.
    pub session_id: String,
    /// The model.
    #[serde(default)]
    pub model: Untrusted,
    /// Working directory.
    #[serde(default)]
    pub cwd: Untrusted,
    /// `default`, `bypassPermissions`, …
    #[serde(default, rename = "permissionMode")]
    pub permission_mode: Untrusted,
    /// The CLI's version.
    #[serde(default)]
    pub claude_code_version: Untrusted,
    /// MCP servers and whether they are connected.
    #[serde(default)]
    pub mcp_servers: Vec<McpServer>,
}

/// One MCP server.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct McpServer {
    /// Its name.
    pub name: Untrusted,
    /// `connected`, `failed`, …
    #[serde(default)]
    pub status: Untrusted,
}

/// `result`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ResultLine {
    /// `success` also for an API error: look at `is_error`.
    pub subtype: String,
    /// It went wrong.
    pub is_error: bool,
    /// The answer once more, or the error's text.
    #[serde(default)]
    pub result: Option<String>,
    /// The errors, when there is no answer.
    #[serde(default)]
    pub errors: Vec<String>,
    /// Why it ended.
    #[serde(default)]
    pub terminal_reason: Option<String>,
    /// The API's HTTP status.
    #[serde(default)]
    pub api_error_status: Option<u16>,
    /// Milliseconds from prompt to end.
    #[serde(default)]
    pub duration_ms: u64,
    /// Rounds with the model.
    #[serde(default)]
    pub num_turns: u64,
    /// Counts the results of a process.
    #[serde(default)]
    pub result_index: Option<u64>,
    /// The session.
    #[serde(default)]
    pub session_id: String,
    /// Cumulative over the process and over resumes.
    #[serde(default, rename = "modelUsage")]
    pub model_usage: BTreeMap<String, ModelUsage>,
    /// What came since the last result: what counts.
    #[serde(default)]
    pub model_usage_since_last_result: Option<BTreeMap<String, ModelUsage>>,
    /// Tools that were refused.
    #[serde(default)]
    pub permission_denials: Vec<Denial>,
}

/// One refused call.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Denial {
    /// The tool.
    pub tool_name: Untrusted,
    /// The call.
    #[serde(default)]
    pub tool_use_id: String,
}
