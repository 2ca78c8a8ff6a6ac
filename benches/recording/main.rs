//! Makes the README's picture and recording: the real program on a terminal, the keys of a person, the real Claude CLI
//! with a scripted API behind it (so nothing is paid, and it comes out alike each time).
//!
//! `cargo bench --bench recording` writes `docs/screen.svg` and `docs/screen.cast` (asciicast version 2, for
//! `asciinema play`). It needs the Claude CLI: on the PATH, or named in `SANDBANK_TEST_CLAUDE`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a recording that cannot be made ends the run, and says why"
)]

mod cast;
mod picture;
#[allow(dead_code, reason = "shared with the road's tests")]
#[path = "../../tests/support/program.rs"]
mod program;
#[allow(dead_code, reason = "shared with the screen's tests")]
#[path = "../../tests/support/pty.rs"]
mod pty;
#[allow(dead_code, reason = "shared with the road's tests")]
#[path = "../../tests/support/scripted_api.rs"]
mod scripted_api;

use std::{fs, path::Path, thread::sleep, time::Duration};

use serde_json::json;

use self::{
    program::{KEY, Place},
    pty::Pty,
    scripted_api::{Part, ScriptedApi, text},
};

const COLUMNS: u16 = 110;
const ROWS: u16 = 32;

/// Between two keys of someone who types with all fingers.
const KEYSTROKE: Duration = Duration::from_millis(55);
/// To see what has come.
const GLANCE: Duration = Duration::from_millis(900);
/// To read it.
const READ: Duration = Duration::from_millis(2500);
/// Between two words of an answer.
const WORD: Duration = Duration::from_millis(35);

const PROGRAM: &str = "\
def herons(days: int) -> list[int]:
    \"\"\"Herons at the pond on each day: one more when it rains.\"\"\"
    counts = [1]
    for day in range(1, days):
        counts.append(counts[-1] + (day % 3 == 0))
    return counts


print(herons(10))
";

fn main() {
    let claude = program::claude().expect("the recording needs the Claude CLI");
    let api = ScriptedApi::start(KEY, answers());
    let place = Place::with_claude(&claude, api.url());
    let screen = play(&place);
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    fs::write(docs.join("screen.svg"), screen.picture).unwrap();
    fs::write(docs.join("screen.cast"), screen.cast).unwrap();
}

/// What Claude says and does.
fn answers() -> Vec<Vec<Part>> {
    let write = json!({"file_path": "/mnt/workspace/herons.py", "content": PROGRAM});
    let run = json!({"command": "python3 herons.py", "description": "Run the program"});
    let said = "It runs:\n\n```python\nherons(10)  # [1, 1, 1, 2, 2, 2, 3, 3, 3, 4]\n```\n\n- **one** heron on the \
                first day\n- one more on every *third* day\n";
    vec![
        [spoken("I'll write it, then run it. "), vec![Part::Tool("Write", write)]].concat(),
        vec![Part::Tool("Bash", run)],
        spoken(said),
    ]
}

/// Prose at the pace of an answer.
fn spoken(words: &str) -> Vec<Part> {
    words.split_inclusive(' ').flat_map(|word| [text(word), Part::Pause(WORD)]).collect()
}

struct Played {
    picture: String,
    cast: String,
}

/// What a person does.
fn play(place: &Place) -> Played {
    let mut screen = Pty::of(&place.command(&[]), COLUMNS, ROWS);
    screen.wait_for("n creates a sandbox");
    sleep(READ);
    screen.send("n");
    screen.wait_for("New sandbox");
    sleep(GLANCE);
    type_text(&mut screen, "pond\r");
    screen.wait_until("the sandbox runs", |seen| seen.shows("1 running") && !seen.shows("Creating a sandbox"));
    sleep(GLANCE);

    chord(&mut screen, "i");
    type_text(&mut screen, "count the herons at the pond in python");
    sleep(GLANCE);
    screen.send("\r");
    screen.wait_for("on every third day");
    screen.wait_until("the turn is over", |seen| !seen.shows("esc stops"));
    sleep(READ);

    chord(&mut screen, "s");
    screen.wait_until("it is saved", |seen| seen.shows("1 file ") && !seen.shows("Saving"));
    sleep(READ);
    let picture = screen.see(|seen| picture::svg(seen.screen()));

    chord(&mut screen, "i");
    type_text(&mut screen, "!rm herons.py; ls -A\r");
    sleep(READ);
    chord(&mut screen, "2");
    screen.send("\r");
    screen.wait_for("1 added");
    sleep(READ);
    screen.send("\t");
    sleep(GLANCE);
    screen.send("\r");
    program::wait_until("it is restored", || place.sh("pond", "ls -A") == "herons.py\n");
    sleep(READ);
    chord(&mut screen, "q");
    screen.wait();
    let cast = screen.see(|seen| cast::cast(seen, COLUMNS, ROWS));
    Played { picture, cast }
}

fn type_text(screen: &mut Pty, text: &str) {
    for key in text.chars() {
        screen.send(key.to_string());
        sleep(KEYSTROKE);
    }
}

/// ctrl-x, and what follows it.
fn chord(screen: &mut Pty, key: &str) {
    screen.send("\u{18}");
    sleep(KEYSTROKE);
    screen.send(key);
}
