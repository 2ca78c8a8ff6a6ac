//! What holds whatever happens.

use proptest::prelude::*;

use super::*;
use crate::{
    api::{CommandSummary, ConversationPage, OpenBlock, PlacedItem, event::Progress},
    core::{ConversationId, Item},
    tui::app::{
        event::Mouse,
        layout,
        model::{Dialog, Focus, Remote},
    },
};

/// What can happen, in small numbers, so that ids meet.
#[derive(Debug, Clone)]
enum Happening {
    Key(&'static str),
    Paste(String),
    Mouse(Mouse, u16, u16),
    Resize(u16, u16),
    Focus(bool),
    Link(bool),
    Sandbox(i64, bool),
    Version(u64),
    /// A command of another's; or the last of ours.
    Command(Option<u128>, bool),
    Items(u128, u64),
    Delta(u128, u64),
    Keyframe(u128),
    Progress,
    /// An answer to one of the last orders, or to one that never was.
    Answer(usize, bool),
    Stale(u64),
    Timer(Timer),
    Wait(i64),
}

const KEYS: [&str; 44] = [
    "a",
    "q",
    "j",
    "k",
    "n",
    "s",
    "t",
    "r",
    "e",
    "i",
    "g",
    "G",
    "/",
    ":",
    "?",
    "!",
    "\\",
    "y",
    "c",
    "v",
    "o",
    "p",
    "M",
    "]",
    "[",
    "w",
    "enter",
    "tab",
    "shift-tab",
    "up",
    "down",
    "left",
    "backspace",
    "delete",
    "pageup",
    "pagedown",
    "alt-enter",
    "ctrl-x",
    "ctrl-w",
    "ctrl-u",
    "ctrl-g",
    "alt-z",
    "space",
    "1",
];

fn happening() -> impl Strategy<Value = Happening> {
    let mouse = prop_oneof![Just(Mouse::Click), Just(Mouse::CtrlClick), Just(Mouse::WheelUp), Just(Mouse::WheelDown)];
    let timer = prop_oneof![
        Just(Timer::Minute),
        Just(Timer::Second),
        Just(Timer::Toast),
        Just(Timer::Armed),
        Just(Timer::Chord),
        Just(Timer::Draft)
    ];
    prop_oneof![
        20 => prop::sample::select(&KEYS[..]).prop_map(Happening::Key),
        2 => prop::sample::select(&["esc", "ctrl-c"][..]).prop_map(Happening::Key),
        3 => prop::sample::select(&["space", "V", "*"][..]).prop_map(Happening::Key),
        2 => "[a-z\u{301}é\n]{0,40}".prop_map(Happening::Paste),
        1 => (1000..3000_usize).prop_map(|n| Happening::Paste("x\n".repeat(n))),
        2 => (mouse, 0..130_u16, 0..50_u16).prop_map(|(what, column, row)| Happening::Mouse(what, column, row)),
        2 => (1..130_u16, 1..50_u16).prop_map(|(columns, rows)| Happening::Resize(columns, rows)),
        1 => any::<bool>().prop_map(Happening::Focus),
        2 => any::<bool>().prop_map(Happening::Link),
        3 => (0..4_i64, any::<bool>()).prop_map(|(n, runs)| Happening::Sandbox(n, runs)),
        1 => (0..4_u64).prop_map(Happening::Version),
        3 => (prop::option::of(0..3_u128), any::<bool>()).prop_map(|(of, ends)| Happening::Command(of, ends)),
        2 => (0..3_u128, 0..9_u64).prop_map(|(of, position)| Happening::Items(of, position)),
        2 => (0..3_u128, 0..9_u64).prop_map(|(of, from)| Happening::Delta(of, from)),
        1 => (0..3_u128).prop_map(Happening::Keyframe),
        1 => Just(Happening::Progress),
        12 => (0..6_usize, any::<bool>()).prop_map(|(back, works)| Happening::Answer(back, works)),
        1 => any::<u64>().prop_map(Happening::Stale),
        2 => timer.prop_map(Happening::Timer),
        1 => (0..90_i64).prop_map(Happening::Wait),
    ]
}

/// A screen with its open orders.
struct World {
    screen: Screen,
    orders: Vec<Effect>,
    ours: Option<RequestId>,
}

impl World {
    fn new() -> Self {
        Self { screen: Screen::new(), orders: Vec::new(), ours: None }
    }

    fn happen(&mut self, happening: &Happening) {
        let uuid = Uuid::from_u128;
        let conversation = |n: u128| ConversationId(uuid(100 + n));
        let status = |runs: bool| if runs { SandboxStatus::Running } else { SandboxStatus::Terminated };
        let event = match happening.clone() {
            Happening::Key(key) => Event::Term(TermEvent::Pressed { key: key.parse().unwrap() }),
            Happening::Paste(text) => Event::Term(TermEvent::Pasted { text }),
            Happening::Mouse(what, column, row) => Event::Term(TermEvent::Mouse { what, column, row }),
            Happening::Resize(columns, rows) => Event::Term(TermEvent::Resized { columns, rows }),
            Happening::Focus(gained) => Event::Term(TermEvent::Focused { gained }),
            Happening::Link(true) => Event::Link(LinkEvent::Connected),
            Happening::Link(false) => Event::Link(LinkEvent::Lost { error: ApiError::unavailable("gone") }),
            Happening::Timer(timer) => Event::Elapsed { timer },
            Happening::Wait(seconds) => {
                self.screen.second += seconds;
                return;
            }
            Happening::Stale(id) => {
                let id = EffectId(id.saturating_add(1_000_000));
                Event::Done { id, outcome: Box::new(Outcome::Sandboxes(Ok(Vec::new()))) }
            }
            Happening::Answer(back, works) => {
                let Some(order) = self.orders.len().checked_sub(back + 1).map(|at| self.orders[at].clone()) else {
                    return;
                };
                let Some((id, outcome)) = answer_to(&order, works) else { return };
                Event::Done { id, outcome: Box::new(outcome) }
            }
            Happening::Sandbox(n, runs) => {
                self.orders.extend(self.screen.stored(EventBody::Sandbox { sandbox: sandbox(n, status(runs)) }));
                return;
            }
            Happening::Version(n) => {
                self.orders.extend(self.screen.stored(EventBody::Version { version: version(n) }));
                return;
            }
            Happening::Command(of, ends) => {
                let Some(request_id) = of.map(|n| RequestId(uuid(n))).or(self.ours) else { return };
                let state = if ends { CommandState::Done } else { CommandState::Running };
                let body =
                    EventBody::Command { request_id, command: "chat".into(), state, sandbox: Some("heron-1".into()) };
                self.orders.extend(self.screen.stored(body));
                return;
            }
            Happening::Items(of, position) => {
                let item = Item::prompt(format!("p{position}"), "what");
                let item = PlacedItem { conversation: conversation(of), position, at: at(NOW), item };
                Event::Published(Box::new(Published::Live(Live::Items { items: vec![item] })))
            }
            Happening::Delta(of, from) => Event::Published(Box::new(Published::Live(Live::Delta {
                conversation: conversation(of),
                item: "m:0".into(),
                block: "text".into(),
                from,
                text: "abc".into(),
            }))),
            Happening::Keyframe(of) => {
                let block = OpenBlock {
                    conversation: conversation(of),
                    item: "m:0".into(),
                    block: "text".into(),
                    text: "ab".into(),
                };
                Event::Published(Box::new(Published::Live(Live::Keyframe { seq: 1, open: vec![block] })))
            }
            Happening::Progress => {
                let Some(request_id) = self.ours else { return };
                let progress = Progress { request_id, step: "one".into(), done: Some(1), total: None };
                Event::Published(Box::new(Published::Live(Live::Progress(progress))))
            }
        };
        let effects = self.screen.take(event);
        if let Some((_, request)) = submitted(&effects) {
            self.ours = Some(request);
        }
        self.orders.extend(effects);
    }

    fn check(&self) {
        let model = &self.screen.model;
        for (shown, all, place, cursor) in [
            (
                model.sandboxes.shown.len(),
                model.sandboxes.all().len(),
                model.sandboxes.place(),
                model.sandboxes.cursor.is_some(),
            ),
            (
                model.versions.shown.len(),
                model.versions.all().len(),
                model.versions.place(),
                model.versions.cursor.is_some(),
            ),
        ] {
            assert!(shown <= all);
            assert!(place.is_none_or(|place| place < shown));
            assert!(cursor || shown == 0, "rows without a cursor");
        }
        let rows: Vec<_> =
            model.sandboxes.all().iter().filter(|sandbox| sandbox.status == SandboxStatus::Running).collect();
        for mark in &model.sandboxes.marks {
            assert!(rows.iter().any(|sandbox| sandbox.sandbox_id == *mark), "{mark} is marked and isn't there");
        }
        assert_eq!(model.sandboxes.marked().count(), model.sandboxes.marked_count());
        assert_eq!(
            model.sandboxes.marked_count(),
            model.sandboxes.rows().filter(|(row, _)| model.sandboxes.marks.contains(&row.sandbox_id)).count(),
            "marks that are shown are counted"
        );
        for mark in &model.versions.marks {
            assert!(model.version_by_id(*mark).is_some(), "{mark} is marked and isn't there");
        }
        for request in model.jobs.running.keys() {
            let task = model.tasks.all.get(request);
            assert!(task.is_some_and(|task| task.end.is_none()), "{request} is a job and isn't under way");
        }
        assert!(model.jobs.all() == 0 || !model.jobs.is_empty(), "jobs that are over are forgotten");
        if !layout::too_small(model.size) {
            let areas = layout::areas(model);
            let area = match model.focus {
                Focus::Sandboxes => areas.sandboxes,
                Focus::Versions => areas.versions,
                Focus::Transcript => areas.transcript,
                Focus::Prompt => areas.prompt,
            };
            assert!(!area.is_empty(), "{:?} has the keys and isn't shown at {:?}", model.focus, model.size);
        }
        let live = |id: &EffectId| assert!(model.asked.contains_key(id), "{id:?} is waited for and isn't asked for");
        remote_ids(&model.sandboxes.remote).iter().for_each(live);
        remote_ids(&model.versions.remote).iter().for_each(live);
        for chat in model.chats.values() {
            chat.transcript.loading.iter().for_each(live);
            chat.transcript.search.iter().filter_map(|search| search.asked.as_ref()).for_each(live);
        }
        for task in model.tasks.all.values() {
            task.asked.iter().for_each(live);
        }
        for dialog in &model.dialogs {
            if let Dialog::Restore(open) = dialog {
                remote_ids(&open.changes).iter().for_each(live);
            }
        }
    }
}

fn remote_ids<T>(remote: &Remote<T>) -> Vec<EffectId> {
    match remote {
        Remote::Loading { id } => vec![*id],
        Remote::Ready { refreshing, .. } => refreshing.iter().copied().collect(),
        _ => Vec::new(),
    }
}

fn answer_to(order: &Effect, works: bool) -> Option<(EffectId, Outcome)> {
    let failed = || ApiError::failed("it did not work");
    let summary = CommandSummary {
        request_id: RequestId(Uuid::from_u128(1)),
        kind: "chat".into(),
        state: CommandState::Running,
        sandbox: Some("heron-1".into()),
        created_at: at(NOW),
    };
    let either = |yes: CommandState| if works { yes } else { CommandState::Failed };
    Some(match order {
        Effect::ListSandboxes { id } => {
            let all = (0..3).map(|n| sandbox(n, SandboxStatus::Running)).collect();
            (*id, Outcome::Sandboxes(if works { Ok(all) } else { Err(failed()) }))
        }
        Effect::ListVersions { id } => {
            (*id, Outcome::Versions(if works { Ok(vec![version(1)]) } else { Err(failed()) }))
        }
        Effect::ListCommands { id } => (*id, Outcome::Commands(if works { Ok(vec![summary]) } else { Err(failed()) })),
        Effect::LoadItems { id, .. } => {
            let page =
                ConversationPage { conversation: None, items: Vec::new(), more_before: false, more_after: false };
            (*id, Outcome::Items(if works { Ok(page) } else { Err(failed()) }))
        }
        Effect::Search { id, .. } => (*id, Outcome::Found(if works { Ok(vec![1, 3]) } else { Err(failed()) })),
        Effect::Submit { id, request } => {
            let state = either(CommandState::Accepted);
            (*id, Outcome::Command(Ok(answer(request.request_id, state, serde_json::Value::Null, None))))
        }
        Effect::AskCommand { id, request } => {
            let state = either(CommandState::Done);
            (*id, Outcome::Command(Ok(answer(*request, state, serde_json::Value::Null, None))))
        }
        Effect::Interrupt { id, request } => {
            let told = answer(*request, CommandState::Running, serde_json::Value::Null, None);
            (*id, Outcome::Command(if works { Ok(told) } else { Err(ApiError::not_found("there is none")) }))
        }
        Effect::Preview { id, .. } => {
            (*id, Outcome::Preview(if works { Ok(Default::default()) } else { Err(failed()) }))
        }
        Effect::Edit { id, text } => (*id, Outcome::Edited(if works { Ok(text.clone()) } else { Err("no".into()) })),
        Effect::LoadTranscript { id, .. } => {
            (*id, Outcome::Transcript(if works { Ok("all".into()) } else { Err(failed()) }))
        }
        Effect::Page { id, .. } => (*id, Outcome::Paged(if works { Ok(()) } else { Err("no".into()) })),
        Effect::LoadDrafts { id } => {
            let kept = SandboxId::new("sb-1").unwrap();
            (*id, Outcome::Drafts(vec![(Some(kept), "a draft".into()), (None, "for none".into())]))
        }
        Effect::LoadHistory { id } => (*id, Outcome::History(vec!["one".into(), "two\nlines".into()])),
        _ => return None,
    })
}

proptest! {
    #[test]
    fn whatever_happens(happenings in prop::collection::vec(happening(), 1..120)) {
        let (mut world, mut again) = (World::new(), World::new());
        for happening in &happenings {
            world.happen(happening);
            again.happen(happening);
            if world.screen.model.ended {
                prop_assert!(matches!(world.orders.last(), Some(Effect::Quit)));
                return Ok(());
            }
            world.check();
        }
        // Not printed when they differ: a model is long.
        let state = |world: &World| format!("{:?}", world.screen.model);
        prop_assert!(state(&world) == state(&again), "the same events gave two states");
        prop_assert!(world.orders == again.orders, "the same events gave two lists of orders");

        // What answers no order changes nothing but the time.
        world.happen(&Happening::Stale(1));
        let (before, orders) = (state(&world), world.orders.len());
        world.happen(&Happening::Stale(1));
        prop_assert!(before == state(&world), "an old answer changed something");
        prop_assert_eq!(orders, world.orders.len());

        // Esc leads to the lists from anywhere, and Ctrl-C out.
        for _ in 0..10 {
            world.happen(&Happening::Key("esc"));
        }
        prop_assert!(world.screen.model.dialogs.is_empty());
        prop_assert!(matches!(world.screen.model.focus, Focus::Sandboxes | Focus::Versions));
        // One press stops each thing that is under way, one clears the draft, two quit.
        let stops = world.screen.model.chat().map_or(0, |chat| chat.under_way().count());
        for _ in 0..stops + 3 {
            world.happen(&Happening::Key("ctrl-c"));
        }
        prop_assert!(world.screen.model.ended);
        prop_assert_eq!(world.screen.take(Event::Link(LinkEvent::Connected)), vec![]);
    }
}
