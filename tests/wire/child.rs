//! A small program on the terminal: the test binary itself, started again in a PTY. It shows what it is told.

use std::{env, process, time::Duration};

use ratatui::{
    layout::Position,
    text::{Line, Text},
};
use sandbank::tui::{
    app::TermEvent,
    term::{Manners, Term, restore_on_panic},
};

/// A variable that makes the test below the program. Its value says what it does besides.
pub const ROLE: &str = "SANDBANK_TEST_CHILD";

/// Where it leaves what it can't show any more.
pub const REPORT: &str = "SANDBANK_TEST_REPORT";

#[test]
fn child() {
    let Ok(role) = env::var(ROLE) else { return };
    if role == "holder" {
        super::exits::hold_a_terminal_and_end();
    }
    restore_on_panic();
    if role == "alone" {
        // Out of the terminal's session: its end sends no signal.
        rustix::process::setsid().unwrap();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    process::exit(runtime.block_on(run()));
}

/// Text is made of these.
const WORDS: [&str; 19] = [
    "volume", "is", "mounted", "before", "a", "shell", "starts", "and", "every", "version", "keeps", "its", "own",
    "manifest", "in", "the", "store", "of", "objects",
];

#[derive(Default)]
struct Shown {
    events: Vec<String>,
    number: u32,
    scrolled: usize,
    typed: String,
}

async fn run() -> i32 {
    let mut term = match Term::open(Manners { mouse: true }) {
        Ok(term) => term,
        Err(refused) => {
            eprintln!("refused: {refused}\n{}", refused.hint());
            return 2;
        }
    };
    let mut shown = Shown::default();
    loop {
        draw(&mut term, &shown);
        let event = term.next().await;
        shown.number += 1;
        let what = match &event {
            TermEvent::Pressed { key } => format!("key {key}"),
            TermEvent::Pasted { text } => format!("paste {} {}", text.len(), text.matches('\n').count()),
            other => format!("{other:?}"),
        };
        let key = match &event {
            TermEvent::Pressed { key } => key.to_string(),
            TermEvent::Ended => return end(term).await,
            _ => String::new(),
        };
        shown.events.push(what);
        match key.as_str() {
            "q" => {
                term.close().unwrap();
                return 0;
            }
            "p" => panic!("a panic on purpose"),
            "z" => term.suspend().unwrap(),
            "e" => {
                let mut program = tokio::process::Command::new("sh");
                program.args(["-c", "echo LENT; read x; echo GOT $x"]);
                shown.events.push(format!("{:?}", term.lend(program, None).await.unwrap()));
            }
            // As an editor: it has modes of its own, and says goodbye.
            "E" => {
                let mut program = tokio::process::Command::new("sh");
                program.args(["-c", "trap 'echo TOLD; stty sane; exit 1' TERM HUP; stty raw -echo; echo LENT; read x"]);
                term.lend(program, None).await.unwrap();
            }
            // As one that hangs: with modes of its own, and deaf.
            "D" => {
                let mut program = tokio::process::Command::new("sh");
                program.args([
                    "-c",
                    "trap '' TERM HUP QUIT INT; stty raw -echo; printf '\\033[?1049h\\033[?25lLENT'; read x",
                ]);
                term.lend(program, None).await.unwrap();
            }
            "c" => shown.events.push(format!("sent {}", term.copy("text for the clipboard"))),
            "C" => shown.events.push(format!("sent {}", term.copy(&"x".repeat(100_000)))),
            "m" => term.set_mouse(false).unwrap(),
            "s" => shown.scrolled += 1,
            "t" => shown.typed.push('t'),
            "!" => shown.typed.push_str("\x1b]0;title\x07\u{9b}31m"),
            _ => {}
        }
    }
}

/// Line one: pid, size, events so far. Line two: what is being typed, with the cursor behind it. Then text that
/// scrolls, as long as in a conversation; at the bottom the last events.
fn draw(term: &mut Term, shown: &Shown) {
    let (size, pid) = (term.size(), process::id());
    term.draw(|frame| {
        let area = frame.area();
        assert_eq!((area.width, area.height), (size.columns, size.rows), "frames and events agree");
        let mut lines = vec![
            Line::from(format!("pid {pid} size {}x{}", size.columns, size.rows)),
            Line::from(format!("> {}", shown.typed)),
        ];
        let last = usize::from(size.rows.saturating_sub(2)).min(6);
        for row in 0..usize::from(size.rows).saturating_sub(2 + last) {
            let line = row + shown.scrolled;
            let words = (0..4 + line * 7 % 9).map(|word| WORDS[(line * 5 + word * 3) % WORDS.len()]);
            lines.push(Line::from(words.collect::<Vec<_>>().join(" ")));
        }
        let from = shown.events.len().saturating_sub(last);
        lines.extend(shown.events[from..].iter().zip(from..).map(|(event, n)| Line::from(format!("{n}: {event}"))));
        frame.render_widget(Text::from(lines), area);
        let column = 2 + u16::try_from(shown.typed.len()).unwrap();
        if column < area.width && area.height > 1 {
            frame.set_cursor_position(Position::new(column, 1));
        }
    })
    .unwrap();
}

async fn end(mut term: Term) -> i32 {
    let code = term.signal().map_or(1, |signal| 128 + signal);
    if let Ok(report) = env::var(REPORT) {
        let before = cpu_ticks();
        // As long as a loop that spins would burn.
        let more = tokio::time::timeout(Duration::from_secs(1), async {
            loop {
                draw(&mut term, &Shown::default());
                term.next().await;
            }
        });
        let _: Result<(), _> = more.await;
        drop(term);
        std::fs::write(report, (cpu_ticks() - before).to_string()).unwrap();
    }
    code
}

/// Hundredths of a second of CPU that this process has had.
fn cpu_ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    stat.rsplit(')').next().unwrap().split_whitespace().skip(11).take(2).map(|n| n.parse::<u64>().unwrap()).sum()
}
