//! Events that become one sentence.

use crate::{
    agent::stream::{Event, Line},
    core::{Item, ItemBody, Untrusted, item::Level},
};

/// A notice that a line made.
pub(super) fn item(line: &Line, level: Level, text: impl Into<Untrusted>) -> Item {
    let key = line.uuid.clone().unwrap_or_default();
    super::item(key, line, None, ItemBody::Notice { level, text: text.into() })
}

/// The notice for an event, if it deserves one: most of the CLI's housekeeping doesn't.
pub(super) fn of(line: &Line) -> Option<Item> {
    let (level, text) = match &line.event {
        Event::ApiRetry(retry) => {
            let said = match (retry.error_status, retry.error.raw()) {
                (Some(status), error) => format!("the API said {status} ({error})"),
                (None, "" | "unknown") => "the API gave no answer".to_owned(),
                (None, error) => format!("the API gave no answer ({error})"),
            };
            let seconds = super::millis(retry.retry_delay_ms).div_ceil(1000);
            (Level::Warning, format!("{said}; attempt {} of {} in {seconds} s", retry.attempt, retry.max_retries))
        }
        Event::ModelFallback(fallback) => (Level::Warning, fallback.content.raw().to_owned()),
        Event::RateLimit(limit) => {
            let info = &limit.rate_limit_info;
            let which = info.kind.as_ref().map_or("", |k| k.raw()).replace('_', " ");
            match info.status.as_str() {
                "rejected" => (Level::Error, format!("the {which} limit of this subscription is reached")),
                "allowed_warning" => (Level::Warning, format!("the {which} limit of this subscription is near")),
                _ => return None,
            }
        }
        Event::PermissionDenied(denied) => {
            (Level::Warning, format!("{} was refused: {}", denied.tool_name.raw(), denied.message.raw()))
        }
        Event::CompactBoundary(compact) => {
            let m = &compact.compact_metadata;
            (Level::Info, format!("earlier parts were summarised ({} → {} tokens)", m.pre_tokens, m.post_tokens))
        }
        Event::Informational(said) => {
            let level = if said.level == "warning" { Level::Warning } else { Level::Info };
            (level, said.content.raw().to_owned())
        }
        Event::Hook(hook) if hook.exit_code.is_some_and(|c| c != 0) => {
            (Level::Warning, format!("hook {} failed: {}", hook.hook_name.raw(), hook.output.raw()))
        }
        Event::TaskNotification(task) if task.status.as_deref() == Some("failed") => {
            (Level::Warning, format!("task failed: {}", task.summary.raw()))
        }
        Event::Unknown { name, .. } => (Level::Info, format!("an event this version doesn't know: {}", name.raw())),
        _ => return None,
    };
    Some(item(line, level, text))
}
