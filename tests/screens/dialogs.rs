//! What lies over the panes.

use insta::assert_snapshot;
use sandbank::{
    api::command::{Changes, PathSize},
    core::SandboxStatus,
    tui::app::{
        Action, EffectId, Event, Model, TermEvent,
        model::{
            Dialog, Focus, Remote,
            dialog::{Choice, CreateForm, Field, Palette, Question, Reader, RestorePreview, Then},
            toast::Tone,
        },
        update,
    },
};

use super::{build, screen};

fn with(dialog: Dialog) -> Model {
    let mut model = build::afternoon(80, 24);
    model.dialogs.push(dialog);
    model
}

#[test]
fn the_form_says_what_is_wrong() {
    let mut form = CreateForm { field: Field::Name, ..CreateForm::default() };
    assert_snapshot!(screen(&with(Dialog::Create(form.clone()))));
    form.name.insert_str("heron api!");
    form.commands.insert_str("RUN apt-get update\nRUN apt-get install -y git");
    form.problems = vec![(Field::Name, "must have only letters, digits, '-', '_' and '.'".to_owned())];
    assert_snapshot!(screen(&with(Dialog::Create(form.clone()))));
    let mut small = with(Dialog::Create(form));
    small.size = sandbank::tui::app::model::Size { columns: 40, rows: 10 };
    assert_snapshot!(screen(&small));
}

#[test]
fn what_destroys_asks_and_the_safe_answer_comes_first() {
    let sandbox = build::sandbox("heron-api", sandbank::core::SandboxStatus::Running, 1).sandbox_id;
    let then = |save| Then::Terminate { sandbox: sandbox.clone(), save };
    let question = Question {
        title: "Terminate heron-api?".to_owned(),
        detail: "Its processes end. The workspace stays on the account's volume; saving it makes a version in the \
                 bucket too."
            .to_owned(),
        choices: vec![
            Choice { key: 'n', label: "no, let it run", then: Then::Nothing },
            Choice { key: 's', label: "save, then terminate", then: then(true) },
            Choice { key: 't', label: "terminate without saving", then: then(false) },
        ],
        cursor: 0,
    };
    assert_snapshot!(screen(&with(Dialog::Question(question))));
}

#[test]
fn one_question_names_all_that_would_end() {
    let mut model = build::model(80, 24);
    let long = "a-name-that-is-so-long-that-it-cannot-stand-in-a-row-with-others";
    let names = ["heron-api", "heron-web", "日本語の名前", long, "owl", "tern", "kite", "hobby"];
    let named = |(n, name): (i64, &&str)| {
        let mut one = build::sandbox(&format!("s{n}"), SandboxStatus::Running, n);
        one.name = (*name).to_owned();
        one
    };
    model.sandboxes = build::list((1..).zip(&names).map(named).collect());
    for key in ["*", "t"] {
        update(&mut model, build::at(0), Event::Term(TermEvent::Pressed { key: key.parse().unwrap() }));
    }
    assert_snapshot!(screen(&model));
}

fn changes(added: Vec<PathSize>, changed: Vec<PathSize>, deleted: Vec<PathSize>) -> Changes {
    Changes { added, changed, deleted, ..Changes::default() }
}

fn preview(changes: Remote<Changes>) -> Dialog {
    let model = build::afternoon(80, 24);
    Dialog::Restore(RestorePreview {
        sandbox: model.sandbox().unwrap().sandbox_id.clone(),
        version: model.versions.all()[1].version,
        changes,
        reader: Reader::default(),
        confirmed: false,
        again: false,
    })
}

fn paths(name: &str, count: u64) -> Vec<PathSize> {
    (0..count).map(|n| PathSize { path: format!("src/{name}/part_{n}.rs"), size: 900 + n * 1_300 }).collect()
}

#[test]
fn a_restore_shows_what_it_would_change() {
    let ready = |data| Remote::Ready { data, refreshing: None };
    let mut few = changes(paths("new", 2), paths("heron", 3), paths("old", 1));
    few.changed[0].path =
        "src/日本語\u{202e}/very/long/path/that/does/not/fit/into/the/row/of/this/dialog.rs".to_owned();
    assert_snapshot!(screen(&with(preview(ready(few)))));
    let mut many = changes(paths("new", 10_000), paths("heron", 30), paths("old", 1));
    many.shared_with = vec!["hobby".to_owned()];
    assert_snapshot!(screen(&with(preview(ready(many)))));
    let mut shared = changes(paths("new", 2), Vec::new(), Vec::new());
    shared.shared_with = (1..=9).map(|n| format!("a-very-long-name-for-a-sandbox-number-{n}-of-the-team")).collect();
    assert_snapshot!("who_shares_what_a_restore_changes", screen(&with(preview(ready(shared.clone())))));
    let mut small = with(preview(ready(shared)));
    small.size = sandbank::tui::app::model::Size { columns: 40, rows: 10 };
    assert_snapshot!("who_shares_what_a_restore_changes_on_a_small_screen", screen(&small));
    let Some(Dialog::Restore(open)) = small.dialogs.last_mut() else { panic!() };
    open.again = true;
    assert_snapshot!("why_a_restore_is_asked_for_again_on_a_small_screen", screen(&small));
    small.size = sandbank::tui::app::model::Size { columns: 80, rows: 24 };
    assert_snapshot!("why_a_restore_is_asked_for_again", screen(&small));
    let Some(Dialog::Restore(open)) = small.dialogs.last_mut() else { panic!() };
    open.changes = Remote::Loading { id: EffectId(1) };
    assert_snapshot!("why_a_restore_is_asked_for_again_while_it_is_compared", screen(&small));
    assert_snapshot!(screen(&with(preview(ready(Changes::default())))));
    assert_snapshot!(screen(&with(preview(Remote::Loading { id: EffectId(1) }))));
    assert_snapshot!(screen(&with(preview(Remote::Failed { error: build::unreachable(), last: None }))));
}

#[test]
fn help_shows_the_keys_of_the_pane_first() {
    let mut model = with(Dialog::Help(Reader::default()));
    assert_snapshot!(screen(&model));
    model.dialogs = vec![Dialog::Help(Reader { filter: "save".to_owned(), typing: true, ..Reader::default() })];
    assert_snapshot!(screen(&model));
}

#[test]
fn the_palette_finds_actions_by_their_words() {
    let found =
        vec![(Action::Save, vec![0, 1, 2, 3]), (Action::ToggleFolds, vec![0, 5]), (Action::PageTranscript, Vec::new())];
    let palette = Palette { text: "save".to_owned(), found, cursor: 0 };
    let mut model = build::focused(build::afternoon(80, 24), Focus::Prompt);
    model.dialogs.push(Dialog::Palette(palette));
    assert_snapshot!(screen(&model));
}

#[test]
fn earlier_messages() {
    let mut model = with(Dialog::Toasts(Reader::default()));
    assert_snapshot!(screen(&model));
    model.toasts.history.extend([
        build::toast(Tone::Done, "Saved 13:20, 126 files", "", 45),
        build::toast(Tone::Error, "the bucket does not answer", "see `sandbank doctor`", 2),
        build::toast(Tone::Note, "There is nothing to copy", "", 1),
        build::toast(Tone::Warning, "There is no version yet", "Save the workspace of a sandbox: s", 1),
    ]);
    assert_snapshot!(screen(&model));
    model.place.ascii = true;
    assert_snapshot!("earlier_messages_in_ascii", screen(&model));
}

#[test]
fn a_build_shows_its_log() {
    let mut model =
        with(Dialog::Progress { request: build::request(1), reader: Reader { follow: true, ..Reader::default() } });
    let mut task = build::task("sandbox_create", "building the image, step 2 of 3");
    task.progress = Some((45, Some(100)));
    task.log.extend((0..40).map(|n| build::log(&format!("Get:{n} http://deb.debian.org/debian bookworm/main amd64"))));
    model.tasks.all.insert(build::request(1), task);
    assert_snapshot!(screen(&model));
    model.tasks.all.get_mut(&build::request(1)).unwrap().end = Some(Err(build::unreachable()));
    assert_snapshot!(screen(&model));
}

#[test]
fn a_log_is_wrapped_and_filtered() {
    let mut model =
        with(Dialog::Progress { request: build::request(1), reader: Reader { follow: true, ..Reader::default() } });
    let mut task = build::task("sandbox_create", "starting");
    task.log.extend((0..40).map(|n| build::log(&format!("Get:{n} http://deb.debian.org/debian"))));
    task.log.extend([
        build::log("hobby has the same workspace: what one writes the other sees only after a commit of the volume"),
        build::log(""),
        build::log(&"日本語".repeat(20)),
        build::log(&"0123456789".repeat(10)),
    ]);
    model.tasks.all.insert(build::request(1), task);
    assert_snapshot!(screen(&model));
    model.place.ascii = true;
    model.size.columns = 40;
    assert_snapshot!(screen(&model));
    model.size.columns = 80;
    model.place.ascii = false;
    let filtered = |filter: &str| Reader { filter: filter.to_owned(), typing: true, ..Reader::default() };
    model.dialogs = vec![Dialog::Progress { request: build::request(1), reader: filtered("get:1") }];
    assert_snapshot!(screen(&model));
    model.dialogs = vec![Dialog::Progress { request: build::request(1), reader: filtered("nowhere") }];
    assert_snapshot!(screen(&model));
}

#[test]
fn what_a_restore_would_change_is_filtered() {
    let many = changes(paths("new", 3_000), paths("heron", 30), Vec::new());
    let Dialog::Restore(mut open) = preview(Remote::Ready { data: many, refreshing: None }) else { panic!() };
    open.reader = Reader { filter: "HERON".to_owned(), typing: true, ..Reader::default() };
    assert_snapshot!(screen(&with(Dialog::Restore(open))));
}

#[test]
fn many_keys_stay_in_their_column() {
    let mut model = build::focused(build::afternoon(80, 24), Focus::Prompt);
    model.dialogs.push(Dialog::Help(Reader::default()));
    assert_snapshot!(screen(&model));
}

#[test]
fn a_dialog_cuts_wide_letters_at_its_edge_as_a_whole() {
    let mut model = build::afternoon(80, 24);
    build::talk(
        &mut model,
        vec![build::prompt("p", &"あ".repeat(400)), build::prompt("q", &format!("x{}", "あ".repeat(400)))],
    );
    let mut model = build::focused(model, Focus::Prompt);
    model.dialogs.push(Dialog::Toasts(Reader::default()));
    assert_snapshot!(screen(&model));
}
