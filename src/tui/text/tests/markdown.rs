//! Prose.

use super::*;

#[rstest::rstest]
#[case("one two three", 7, "one two\nthree\n")]
#[case("longerthanthewidth", 6, "longer\nthanth\newidth\n")]
#[case("日本語を話す", 5, "日本\n語を\n話す\n")]
#[case("ok 👩\u{200d}👩\u{200d}👧 ok", 5, "ok 👩\u{200d}👩\u{200d}👧\nok\n")]
#[case("日本", 1, "?\n?\n")]
#[case("- a\n- b\n  - c\n- d", 20, "• a\n• b\n  • c\n• d\n")]
#[case("3. a\n4. b c d e f", 8, "3. a\n4. b c d\n   e f\n")]
#[case("> quoted words here", 10, "▌ quoted\n▌ words\n▌ here\n")]
#[case("[words](https://a.b/c)", 40, "words (https://a.b/c)\n")]
#[case("<https://a.b/c>", 40, "https://a.b/c\n")]
#[case("a\n\n---\n\nb", 3, "a\n\n───\n\nb\n")]
#[case("| a | b |\n|---|--:|\n| 1 | 20 |", 20, "a │  b\n──┼───\n1 │ 20\n")]
#[case("| name | what |\n|---|---|\n| left | right side |", 12, "name: left\nwhat: right\nside\n")]
#[case("```rust\nfn f() {\n    1\n}\n```", 20, "  fn f() {\n      1\n  }\n")]
#[case("a&#27;[31mb", 20, "a[31mb\n")]
#[case("[only]: https://a.b 'a definition'", 40, "[only]: https://a.b 'a definition'\n")]
#[case("- [x] done\n- [ ] not", 20, "• ☑ done\n• ☐ not\n")]
#[case("para\n- item\n\nafter", 20, "para\n\n• item\n\nafter\n")]
#[case("- a\n\n  b\n- c", 20, "• a\n\n  b\n• c\n")]
#[case("- a\n\n- b", 20, "• a\n• b\n")]
fn markdown_becomes_rows(#[case] text: &str, #[case] width: u16, #[case] rows: &str) {
    assert_eq!(shown(text, width), rows);
}

#[test]
fn roles_say_what_words_mean() {
    let lines = laid(&prose("# Head\n\na *b* **c** ~~d~~ `e` [f](g)"), made_for(40));
    assert_eq!(marked(&lines, 40), "{He:Head}\n\na {Em:b} {St:c} {St:d} {Co:e} f{Li: (g)}\n");
}

#[test]
fn matches_are_found_in_any_case() {
    let line = Line::of("Straße İstanbul heron HERON", Role::Text);
    let found: Vec<String> = line.find("Heron").into_iter().map(|range| line.text()[range].to_owned()).collect();
    assert_eq!(found, ["heron", "HERON"]);
    assert!(line.find("").is_empty());
}

/// What is laid out again for one more word at the end of a long answer doesn't grow with the answer.
#[test]
fn a_long_answer_grows_at_its_end_alone() {
    for unit in ["A paragraph of words.\n\n", "- an item of a list\n", "```\ncode\n", "word ", "| a | b |\n"] {
        let mut growing = Growing::new("text");
        growing.push(&unit.repeat(200_000 / unit.len()));
        growing.settle(made_for(78));
        let before = growing.lines().len();
        growing.push("more");
        let redone = growing.redone(made_for(78));
        assert!(redone < 2000 && before > 1000, "{unit:?}: {redone} of {before}");
    }
}
