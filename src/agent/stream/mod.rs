//! From bytes to events: lines, and what each says.

mod event;
pub mod message;
pub mod partial;
mod split;
pub mod state;
pub mod task;
pub mod turn;

pub use event::{Event, Line};
pub use split::{Piece, Splitter};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use crate::core::Untrusted;

/// What every line may have beside its type.
#[derive(Deserialize)]
struct Head {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    subtype: Option<String>,
    #[serde(default)]
    uuid: Option<String>,
    #[serde(default)]
    session_id: Option<String>,
    #[serde(default)]
    parent_tool_use_id: Option<String>,
}

/// Reads one line. Never fails: what isn't an event we know is kept as [`Event::Unknown`] or [`Event::Stray`].
pub fn parse(text: &str) -> Line {
    let bare = |event| Line { uuid: None, session_id: None, parent: None, event };
    let Ok(value) = serde_json::from_str::<Value>(text) else {
        return bare(Event::Stray(text.into()));
    };
    let Ok(head) = Head::deserialize(&value) else {
        return bare(Event::Stray(text.into()));
    };
    let name = head.subtype.as_ref().map_or_else(|| head.kind.clone(), |s| format!("{}/{s}", head.kind));
    let event = typed(&head, value).unwrap_or_else(|| Event::Unknown { name: Untrusted::new(name), raw: text.into() });
    Line { uuid: head.uuid, session_id: head.session_id, parent: head.parent_tool_use_id, event }
}

/// The typed event, or nothing when the type is new or its fields aren't what they were.
fn typed(head: &Head, value: Value) -> Option<Event> {
    fn read<T: DeserializeOwned>(value: Value, make: impl FnOnce(T) -> Event) -> Option<Event> {
        serde_json::from_value(value).ok().map(make)
    }
    match (head.kind.as_str(), head.subtype.as_deref()) {
        ("assistant", _) => read(value, |v| Event::Assistant(Box::new(v))),
        ("user", _) => read(value, |v| Event::User(Box::new(v))),
        ("stream_event", _) => read(value, Event::Stream),
        ("result", _) => read(value, |v| Event::Result(Box::new(v))),
        ("rate_limit_event", _) => read(value, Event::RateLimit),
        ("tool_progress", _) => read(value, Event::ToolProgress),
        ("command_lifecycle", _) => read(value, Event::CommandLifecycle),
        ("conversation_reset", _) => read(value, Event::ConversationReset),
        ("control_request" | "control_response" | "control_cancel_request", _) => Some(Event::Control(value)),
        ("keep_alive", _) => Some(Event::KeepAlive),
        ("system", Some(subtype)) => match subtype {
            "init" => read(value, |v| Event::Init(Box::new(v))),
            "status" => read(value, Event::Status),
            "api_retry" => read(value, Event::ApiRetry),
            "model_fallback" => read(value, Event::ModelFallback),
            "permission_denied" => read(value, Event::PermissionDenied),
            "thinking_tokens" => read(value, Event::ThinkingTokens),
            "task_started" => read(value, Event::TaskStarted),
            "task_progress" => read(value, Event::TaskProgress),
            "task_updated" => read(value, Event::TaskUpdated),
            "task_notification" => read(value, Event::TaskNotification),
            "background_tasks_changed" => read(value, Event::BackgroundTasks),
            "compact_boundary" => read(value, Event::CompactBoundary),
            "hook_started" | "hook_response" | "hook_progress" => read(value, Event::Hook),
            "informational" => read(value, Event::Informational),
            "session_state_changed" => read(value, Event::SessionState),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixtures() -> Vec<(String, String)> {
        let dir = format!("{}/tests/fixtures/claude", env!("CARGO_MANIFEST_DIR"));
        let mut all: Vec<_> = std::fs::read_dir(dir)
            .unwrap()
            .map(|e| e.unwrap().path())
            .filter(|p| p.extension().is_some_and(|e| e == "jsonl"))
            .map(|p| (p.file_stem().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(&p).unwrap()))
            .collect();
        all.sort();
        assert!(all.len() > 30, "the recordings are there");
        all
    }

    #[test]
    fn every_recorded_line_is_understood() {
        for (name, text) in fixtures() {
            for line in text.lines() {
                let event = parse(line).event;
                assert!(!matches!(event, Event::Unknown { .. } | Event::Stray(_)), "{name}: {event:?}");
            }
        }
    }

    #[rstest::rstest]
    #[case("{\"type\":\"system\",\"subtype\":\"ui_invalidate\"}", true)]
    #[case("{\"type\":\"brand_new\",\"x\":1}", true)]
    #[case("{\"type\":\"result\",\"is_error\":\"not a bool\"}", true)]
    #[case("{\"no\":\"type\"}", false)]
    #[case("{\"type\":\"assistant\",\"mess", false)]
    #[case("claude: command not found", false)]
    fn what_isnt_known_is_kept(#[case] line: &str, #[case] unknown: bool) {
        match parse(line).event {
            Event::Unknown { raw, .. } if unknown => assert_eq!(raw.raw(), line),
            Event::Stray(raw) if !unknown => assert_eq!(raw.raw(), line),
            other => panic!("{other:?}"),
        }
    }
}
