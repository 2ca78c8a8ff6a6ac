//! Code, and its colours.

use super::*;

#[test]
fn code_is_asked_for_and_then_in_colours() {
    let text = prose("```rust\nfn main() { \"x\" } // y\n```");
    let mut highlights = Highlights::default();
    let first = lay(&text, made_for(60), &highlights);
    let [code] = &first.wanted[..] else { panic!("{:?}", first.wanted) };
    assert!(highlights.ask(code) && !highlights.ask(code));
    assert!(highlights.take(highlight(&code.language, &code.code)));
    let second = lay(&text, made_for(60), &highlights);
    assert!(second.wanted.is_empty());
    let roles: Vec<Role> = second.lines[0].spans.iter().map(Span::role).collect();
    for role in [Role::Keyword, Role::Name, Role::Literal, Role::Comment] {
        assert!(roles.contains(&role), "{role:?} in {roles:?}");
    }
    assert_eq!(second.lines[0].text(), first.lines[0].text());
}

#[test]
fn code_of_no_known_language_stays_plain_and_is_not_asked_for_again() {
    let code = Code { language: "nosuch".into(), code: "x".into() };
    let mut highlights = Highlights::default();
    assert!(highlights.ask(&code));
    highlights.take(highlight(&code.language, &code.code));
    assert!(!highlights.ask(&code));
    assert_eq!(highlights.get(&code), Some(&[][..]));
}
