//! Models by hand: the clock stands still, ids are fixed.

use std::sync::Arc;

use jiff::{Timestamp, tz::TimeZone};
use sandbank::{
    api::{ApiError, ConversationInfo, ConversationPage, PlacedItem, Window},
    core::{
        AccountId, Backend, Clean, ConversationId, Item, ItemBody, MicroDollars, Profile, RequestId, SandboxId,
        SandboxInfo, SandboxStatus, Usage, Version, VersionId,
        item::{DiffLine, Tool, ToolState},
        text::sanitize,
    },
    tui::{
        app::{
            EffectId, Model, layout,
            model::{
                Chat, Focus, Link, Place, Remote, Size, Task, Toast,
                list::{Listing, Row},
                toast::Tone,
                transcript::Pane,
            },
        },
        keymap::Keymap,
    },
};
use serde_json::json;
use uuid::Uuid;

/// Friday, 27 November 2026, 14:05.
pub const NOW: i64 = 1_795_788_300;

pub fn at(minutes_ago: i64) -> Timestamp {
    Timestamp::from_second(NOW - minutes_ago * 60).unwrap()
}

/// A connected screen without anything on it.
pub fn model(columns: u16, rows: u16) -> Model {
    let place = Place {
        account: AccountId::new("default").unwrap(),
        profile: Profile::Local,
        zone: TimeZone::UTC,
        seed: Uuid::nil(),
        ascii: false,
        still: false,
    };
    let keymap = Arc::new(Keymap::load(None).unwrap());
    let mut model = Model::new(place, keymap, Size { columns, rows }, at(0));
    model.link = Link::Connected;
    model.spent_today = Some(MicroDollars(418_000));
    model.sandboxes = list(Vec::new());
    model.versions = list(Vec::new());
    model
}

/// A list that is there, with the cursor on its first row.
pub fn list<T: Row>(rows: Vec<T>) -> Listing<T> {
    let mut listing = Listing::default();
    listing.cursor = rows.first().map(Row::id);
    listing.shown = (0..rows.len()).map(|place| (place, Vec::new())).collect();
    listing.kept = rows.len();
    listing.remote = Remote::Ready { data: rows, refreshing: None };
    listing
}

pub fn sandbox(name: &str, status: SandboxStatus, minutes_ago: i64) -> SandboxInfo {
    let id: String = name.bytes().map(|b| char::from(b'A' + b % 26)).collect();
    SandboxInfo {
        sandbox_id: SandboxId::new(format!("sb-{id}")).unwrap(),
        name: name.to_owned(),
        account_id: AccountId::new("default").unwrap(),
        status,
        image: "debian:bookworm-slim".to_owned(),
        backend: Backend::Local,
        created_at: at(minutes_ago),
        ended_at: None,
        reason: None,
    }
}

pub fn version(minutes_ago: i64, note: &str, files: u64, bytes: u64) -> Version {
    Version {
        version: VersionId(u64::try_from(NOW - minutes_ago * 60).unwrap()),
        account_id: AccountId::new("default").unwrap(),
        created_at: at(minutes_ago),
        files,
        bytes,
        note: note.to_owned(),
        complete: true,
        left_out: 0,
        legacy: false,
    }
}

/// An ordinary afternoon: three sandboxes, some versions, a conversation.
pub fn afternoon(columns: u16, rows: u16) -> Model {
    let mut model = model(columns, rows);
    let mut legacy = version(60 * 24 * 400, "", 0, 0);
    legacy.legacy = true;
    let mut partial = version(60 * 30, "after turn", 118, 3_400_000);
    partial.complete = false;
    model.sandboxes = list(vec![
        sandbox("heron-api", SandboxStatus::Running, 124),
        sandbox("scratch", SandboxStatus::Pending, 0),
        sandbox("old-import", SandboxStatus::Terminated, 60 * 50),
    ]);
    model.versions = list(vec![
        version(2, "after turn", 128, 4_200_000),
        version(45, "before refactor", 126, 4_100_000),
        version(183, "", 126, 4_100_000),
        partial,
        legacy,
    ]);
    talk(&mut model, afternoon_items());
    model
}

pub fn conversation() -> ConversationId {
    ConversationId(Uuid::from_u128(7))
}

pub fn request(n: u128) -> RequestId {
    RequestId(Uuid::from_u128(n))
}

/// Gives the selected sandbox a conversation.
pub fn talk(model: &mut Model, items: Vec<Item>) {
    let info = Some(ConversationInfo {
        conversation: conversation(),
        title: "fix the tests".into(),
        model: Some("claude-sonnet-4-5".into()),
        context_tokens: Some(12_200),
        usage: Usage { input_tokens: 41_300, output_tokens: 900, cost: MicroDollars(31_000) },
    });
    let mut chat = Chat { info, ..Chat::default() };
    let items =
        (0..).zip(items).map(|(position, item)| PlacedItem { conversation: conversation(), position, at: at(3), item });
    let page = ConversationPage { conversation: None, items: items.collect(), more_before: false, more_after: false };
    chat.transcript.asking(EffectId(1), Window::Last);
    chat.transcript.take(EffectId(1), Ok(page));
    let id = model.sandbox().unwrap().sandbox_id.clone();
    model.chats.insert(id, chat);
    settle(model);
}

/// Lays the conversation out for where it is drawn, as the reducer does after each event.
pub fn settle(model: &mut Model) {
    let area = layout::areas(model).transcript;
    let pane = Pane {
        columns: area.width,
        rows: area.height,
        ascii: model.place.ascii,
        zone: model.place.zone.clone(),
        now: model.now,
    };
    if let Some(chat) = model.chat_mut() {
        chat.transcript.settle(pane);
    }
}

/// The same with another pane in front.
pub fn focused(mut model: Model, focus: Focus) -> Model {
    model.focus = focus;
    settle(&mut model);
    model
}

pub fn item(key: &str, body: ItemBody) -> Item {
    Item { key: key.to_owned(), parent: None, timestamp: Some(at(3).to_string()), body }
}

pub fn prompt(key: &str, text: &str) -> Item {
    item(key, ItemBody::Prompt { text: text.into() })
}

pub fn says(key: &str, text: &str) -> Item {
    item(key, ItemBody::Text { text: text.into(), aborted: false })
}

pub fn tool(key: &str, name: &str, input: serde_json::Value, state: ToolState, output: &str) -> Item {
    let elapsed_ms = Some(8_200);
    let (name, output) = (name.into(), output.into());
    item(key, ItemBody::Tool(Tool { name, input, state, output, diff: Vec::new(), elapsed_ms, exit_code: None }))
}

pub fn afternoon_items() -> Vec<Item> {
    let line = |mark, text: &str| DiffLine { line: 41, mark, text: text.into() };
    let mut edit = tool("t2", "Edit", json!({"file_path": "src/heron.rs"}), ToolState::Done, "");
    if let ItemBody::Tool(tool) = &mut edit.body {
        tool.diff = vec![line('-', "assert_eq!(n, 3);"), line('+', "assert_eq!(n, 4);")];
    }
    vec![
        prompt("p1", "Make the heron test pass."),
        says("m1", "I'll look at the failing test first."),
        tool("t1", "Read", json!({"file_path": "tests/heron.rs"}), ToolState::Done, "fn heron() {}"),
        edit,
        tool("t3", "Bash", json!({"command": "cargo test heron"}), ToolState::Done, "test heron ... ok"),
        says("m2", "The **test** passes now."),
        item(
            "r1",
            ItemBody::Result {
                usage: Usage { input_tokens: 11_300, output_tokens: 900, cost: MicroDollars(31_000) },
                duration_ms: 14_100,
                rounds: 4,
                is_error: false,
                denied: Vec::new(),
            },
        ),
    ]
}

pub fn task(kind: &str, step: &str) -> Task {
    Task {
        kind: kind.to_owned(),
        sandbox: Some("heron-api".to_owned()),
        ours: true,
        since: Timestamp::from_second(NOW - 12).unwrap(),
        number: 0,
        step: sanitize(step),
        progress: None,
        log: std::collections::VecDeque::new(),
        bytes: 0,
        asked: None,
        end: None,
        typed: None,
        restores: None,
    }
}

pub fn toast(tone: Tone, text: &str, hint: &str, minutes_ago: i64) -> Toast {
    Toast { tone, text: sanitize(text), hint: sanitize(hint), at: at(minutes_ago) }
}

pub fn log(text: &str) -> Clean {
    sanitize(text)
}

pub fn unreachable() -> ApiError {
    ApiError::unavailable("the server does not answer").hint("see `sandbank serve status`")
}
