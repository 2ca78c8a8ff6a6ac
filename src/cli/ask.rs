//! Questions before something is destroyed. The safe answer is the one for an empty line and for an end of input.

use std::io::{self, IsTerminal};

use tokio::sync::oneshot;

use super::{failure::Failure, out, signals::Interrupts};
use crate::api::ApiError;

/// Refuses what must be asked when nobody can be: called before anything is done.
pub(super) fn possible(what: &str) -> Result<(), Failure> {
    if io::stdin().is_terminal() && io::stderr().is_terminal() {
        return Ok(());
    }
    Err(ApiError::refused(format!("{what} needs a confirmation, and there is no terminal to ask on"))
        .hint("say --yes")
        .into())
}

/// Asks for yes or no.
pub(super) async fn yes(question: &str) -> Result<(), Failure> {
    match choose(question, "[y/N]", &["yes", "no"]).await? {
        Some(0) => Ok(()),
        _ => Err(declined()),
    }
}

/// The user said no.
pub(super) fn declined() -> Failure {
    ApiError::refused("nothing was done").into()
}

/// Asks until the answer is (the beginning of) one of the words; nothing for an empty line or the end of input.
pub(super) async fn choose(question: &str, shown: &str, words: &[&str]) -> Result<Option<usize>, Failure> {
    loop {
        out::prompt(format_args!("{question} {shown} "));
        let answer = line().await?;
        if !answer.ends_with('\n') {
            // The input has ended; the cursor still stands behind the question.
            out::note("");
        }
        let answer = answer.trim().to_lowercase();
        if answer.is_empty() {
            return Ok(None);
        }
        if let Some(found) = pick(&answer, words) {
            return Ok(Some(found));
        }
        out::note(format_args!("please answer with one of: {}", words.join(", ")));
    }
}

fn pick(answer: &str, words: &[&str]) -> Option<usize> {
    words.iter().position(|word| word.starts_with(answer))
}

/// One line of the terminal. A thread of its own waits for it, so that ctrl-c is heard meanwhile.
async fn line() -> Result<String, Failure> {
    let (send, receive) = oneshot::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = io::stdin().read_line(&mut line).map(|_| line);
        // Nobody waits for it after ctrl-c.
        let _ = send.send(read);
    });
    let mut interrupts = Interrupts::take();
    tokio::select! {
        read = receive => Ok(read.map_err(|_| io::Error::other("the terminal can't be read"))??),
        () = interrupts.next() => {
            out::note("");
            Err(Failure::interrupted())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case("y", Some(0))]
    #[case("yes", Some(0))]
    #[case("n", Some(1))]
    #[case("yess", None)]
    #[case("1", None)]
    fn answers_may_be_short(#[case] answer: &str, #[case] found: Option<usize>) {
        assert_eq!(pick(answer, &["yes", "no"]), found);
    }
}
