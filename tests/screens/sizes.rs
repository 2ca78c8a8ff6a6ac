//! Each size once, and each kind of terminal.

use insta::assert_snapshot;
use sandbank::tui::{
    app::model::Focus,
    theme::{Background, Colors},
};

use super::{build, screen, screen_in};

#[rstest::rstest]
#[case(20, 5)]
#[case(40, 12)]
#[case(80, 24)]
#[case(120, 40)]
#[case(200, 60)]
fn an_afternoon(#[case] columns: u16, #[case] rows: u16) {
    assert_snapshot!(format!("{columns}x{rows}"), screen(&build::afternoon(columns, rows)));
}

#[test]
fn the_chat_of_a_narrow_screen() {
    assert_snapshot!(screen(&build::focused(build::afternoon(40, 12), Focus::Prompt)));
}

#[test]
fn a_light_background() {
    let model = build::focused(build::afternoon(120, 30), Focus::Prompt);
    assert_snapshot!(screen_in(&model, Background::Light, Colors::Ansi));
}

#[test]
fn without_colours() {
    let model = build::focused(build::afternoon(120, 30), Focus::Prompt);
    assert_snapshot!(screen_in(&model, Background::Dark, Colors::None));
}

#[test]
fn in_ascii() {
    let mut model = build::afternoon(120, 30);
    model.place.ascii = true;
    build::settle(&mut model);
    let shown = screen(&model);
    assert!(shown.is_ascii(), "{shown}");
    assert_snapshot!(shown);
}

#[test]
fn no_size_is_a_panic() {
    for (columns, rows) in
        [(1, 1), (1, 60), (200, 1), (39, 10), (40, 9), (40, 10), (59, 10), (60, 11), (99, 10), (100, 10)]
    {
        for focus in [Focus::Sandboxes, Focus::Versions, Focus::Transcript, Focus::Prompt] {
            screen(&build::focused(build::afternoon(columns, rows), focus));
        }
    }
}
