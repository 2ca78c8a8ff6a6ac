//! Tools and background tasks while they run, and tools that may not.

use serde::Deserialize;

use crate::core::Untrusted;

/// `tool_progress`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ToolProgress {
    /// The tool.
    pub tool_name: Untrusted,
    /// The call; the line's own id is of the heartbeat.
    #[serde(default)]
    pub parent_tool_use_id: Option<String>,
    /// How long it has run.
    #[serde(default)]
    pub elapsed_time_seconds: f64,
}

/// `system/permission_denied`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct PermissionDenied {
    /// The tool.
    pub tool_name: Untrusted,
    /// The call.
    #[serde(default)]
    pub tool_use_id: Option<String>,
    /// Why.
    #[serde(default)]
    pub message: Untrusted,
}

/// `system/task_*`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Task {
    /// Its id.
    pub task_id: String,
    /// The call that started it.
    #[serde(default)]
    pub tool_use_id: Option<String>,
    /// What it does.
    #[serde(default)]
    pub description: Untrusted,
    /// It runs while the conversation goes on.
    #[serde(default)]
    pub is_backgrounded: bool,
    /// `completed`, `failed`, `stopped`.
    #[serde(default)]
    pub status: Option<String>,
    /// What came of it.
    #[serde(default)]
    pub summary: Untrusted,
}

/// `system/background_tasks_changed`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct BackgroundTasks {
    /// The full set.
    #[serde(default)]
    pub tasks: Vec<Task>,
}

/// `system/hook_started`, `hook_response`, `hook_progress`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Hook {
    /// Which.
    #[serde(default)]
    pub hook_name: Untrusted,
    /// Set at its end.
    #[serde(default)]
    pub exit_code: Option<i32>,
    /// Set at its end.
    #[serde(default)]
    pub outcome: Option<String>,
    /// What it said.
    #[serde(default)]
    pub output: Untrusted,
}
