//! A click is where its thing is drawn.

use super::*;
use crate::tui::app::{
    event::Mouse,
    layout,
    model::{Dialog, Focus, dialog::Field},
};

impl Screen {
    fn click(&mut self, column: u16, row: u16) -> Vec<Effect> {
        orders(self.take(Event::Term(TermEvent::Mouse { what: Mouse::Click, column, row })))
    }

    fn size(&mut self, columns: u16, rows: u16) {
        self.take(Event::Term(TermEvent::Resized { columns, rows }));
    }
}

/// The inside of the top dialog.
fn inside(screen: &Screen) -> ratatui::layout::Rect {
    layout::inside(layout::dialog(&screen.model, screen.model.dialogs.last().unwrap()))
}

#[rstest::rstest]
#[case::named(80, &[(2, Focus::Sandboxes), (18, Focus::Versions), (30, Focus::Prompt)])]
#[case::numbers(50, &[(1, Focus::Sandboxes), (8, Focus::Versions), (11, Focus::Prompt)])]
fn a_tab_shows_its_pane(#[case] columns: u16, #[case] clicks: &[(u16, Focus)]) {
    let mut screen = Screen::running();
    screen.size(columns, 24);
    for (column, pane) in clicks.iter().chain(clicks) {
        screen.click(*column, 0);
        assert_eq!(screen.model.focus, *pane, "at {column}: {:?}", layout::tabs(&screen.model));
    }
    screen.click(columns - 1, 0);
    assert_eq!(screen.model.focus, clicks[2].1, "beside the tabs there is nothing");
}

#[test]
fn a_click_on_what_came_unseen_goes_to_it() {
    let mut screen = Screen::running();
    let transcript = &mut screen.model.chat_mut().unwrap().transcript;
    (transcript.follow, transcript.unseen) = (false, 3);
    let status = layout::areas(&screen.model).status;
    screen.click(status.right() - 4, status.y);
    let transcript = &screen.model.chat().unwrap().transcript;
    assert!(transcript.follow && transcript.unseen == 0);
}

#[test]
fn a_choice_is_chosen_first_and_taken_by_the_second_click() {
    let mut screen = Screen::running();
    screen.press("ctrl-x t");
    let Some(Dialog::Question(question)) = screen.model.dialogs.last() else { panic!() };
    let (rows, last) = (layout::choices(inside(&screen), question), question.choices.len() - 1);
    let (column, row) = (rows.x + 5, rows.bottom() - 1);
    assert_eq!(screen.click(column, row), []);
    let Some(Dialog::Question(question)) = screen.model.dialogs.last() else { panic!() };
    assert_eq!(question.cursor, last, "it only moves there");
    assert_eq!(screen.click(column, rows.y - 1), [], "beside it there is nothing");
    let effects = screen.click(column, row);
    assert!(submitted(&effects).is_some(), "{effects:?}");
    assert!(screen.model.dialogs.iter().all(|dialog| !matches!(dialog, Dialog::Question(_))));
}

#[test]
fn a_command_of_the_palette_runs() {
    let mut screen = Screen::running();
    screen.press("ctrl-x ctrl-x");
    screen.write("create a sand");
    let Some(Dialog::Palette(palette)) = screen.model.dialogs.last() else { panic!() };
    let (rows, first) = layout::palette_rows(inside(&screen), palette);
    assert_eq!(first, 0);
    screen.click(rows.x + 3, rows.y);
    assert!(matches!(screen.model.dialogs.last(), Some(Dialog::Create(_))), "{:?}", screen.model.dialogs);
}

#[test]
fn of_a_long_palette_the_rows_that_are_seen_are_clicked() {
    let mut screen = Screen::running();
    screen.size(80, 12);
    screen.press("ctrl-x ctrl-x pagedown pagedown");
    let Some(Dialog::Palette(palette)) = screen.model.dialogs.last() else { panic!() };
    let (rows, first) = layout::palette_rows(inside(&screen), palette);
    assert!(first > 0);
    let help = palette.found.iter().position(|(action, _)| *action == crate::tui::app::Action::Help);
    let Some(help) = help.filter(|place| (first..first + usize::from(rows.height)).contains(place)) else {
        // It stands elsewhere now: whatever is clicked, the palette goes.
        screen.click(rows.x, rows.y);
        assert!(!screen.model.dialogs.iter().any(|dialog| matches!(dialog, Dialog::Palette(_))));
        return;
    };
    screen.click(rows.x, rows.y + u16::try_from(help - first).unwrap());
    assert!(matches!(screen.model.dialogs.last(), Some(Dialog::Help(_))));
}

#[test]
fn a_field_of_the_form_gets_the_keys_also_below_what_is_wrong() {
    let mut screen = Screen::running();
    screen.press("ctrl-x n");
    screen.write("no/name");
    screen.press("enter");
    let Some(Dialog::Create(form)) = screen.model.dialogs.last() else { panic!() };
    assert_eq!(form.problems.len(), 1);
    for (field, row) in layout::fields(inside(&screen), form) {
        screen.click(row.x + 12, row.bottom() - 1);
        let Some(Dialog::Create(form)) = screen.model.dialogs.last() else { panic!() };
        assert_eq!(form.field, field);
    }
    let Some(Dialog::Create(form)) = screen.model.dialogs.last() else { panic!() };
    assert_eq!(form.field, Field::Secrets);
}

#[test]
fn a_restore_takes_two_clicks_and_only_when_there_is_something_to_restore() {
    let mut screen = Screen::running();
    let effects = screen.press("ctrl-x 2 enter");
    let [Effect::Preview { id, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    let restore = |screen: &Screen| layout::offers(inside(screen))[1];
    let confirmed = |screen: &Screen| match screen.model.dialogs.last() {
        Some(Dialog::Restore(open)) => open.confirmed,
        other => panic!("{other:?}"),
    };
    let at = restore(&screen);
    screen.click(at.x + 3, at.y);
    assert!(!confirmed(&screen), "it isn't offered yet");
    let gone = crate::api::command::PathSize { path: "a".into(), size: 1 };
    let changes = crate::api::command::Changes { deleted: vec![gone], ..Default::default() };
    screen.done(*id, Outcome::Preview(Ok(changes)));
    let at = restore(&screen);
    assert_eq!(screen.click(at.x + 3, at.y), []);
    assert!(confirmed(&screen));
    let effects = screen.click(at.x + 3, at.y);
    assert!(submitted(&effects).is_some(), "{effects:?}");
}
