//! Taking the terminal and giving it back: for good, for a program that has it meanwhile, and while we stand still.

use std::{
    future::pending,
    io,
    pin::pin,
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{io::AsyncWriteExt, process::Command, time::timeout};

use super::{
    Life, Term, TermEvent, modes,
    signals::{self, Told},
};

/// How long the last answers may take when the terminal goes to somebody else, who would get them as keys.
const LAST_ANSWERS: Duration = Duration::from_millis(100);

/// The same of a far terminal that has much before it.
const LAST_ANSWERS_FAR: Duration = Duration::from_millis(500);

/// How long a program that has the terminal may take to end when we are told to: an editor writes its recovery file.
const LAST_MOMENT: Duration = Duration::from_secs(1);

/// What became of a program that had the terminal.
#[derive(Debug)]
pub enum Lent {
    /// It came to its end.
    Done(ExitStatus),
    /// It never had it.
    NotStarted(io::Error),
    /// A signal asked us to end, and it was told so too; or the terminal is gone.
    Ended,
}

impl Term {
    /// Stands still as ctrl-z asks for, and comes back with the next frame whole. [`Term::next`] does it by itself when
    /// SIGTSTP comes from outside.
    ///
    /// # Errors
    /// The terminal can't be given back or taken again.
    pub fn suspend(&mut self) -> io::Result<()> {
        self.give_back()?;
        signals::stand_still();
        self.take_again()
    }

    /// Lends the terminal to a program until it ends: an editor, a pager. Our input isn't read meanwhile; with `text`
    /// the program's input is that. A signal to end is one for the program too.
    ///
    /// # Errors
    /// The terminal can't be given back.
    pub async fn lend(&mut self, mut program: Command, text: Option<&str>) -> io::Result<Lent> {
        self.give_back()?;
        program.stdin(if text.is_some() { Stdio::piped() } else { Stdio::inherit() });
        let mut child = match program.spawn() {
            Ok(child) => child,
            Err(error) => {
                self.take_again()?;
                return Ok(Lent::NotStarted(error));
            }
        };
        // It isn't waited for before `work` is done: until then no other process has its number.
        let pid = child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        let tell = |signal| pid.map(|pid| kill_process(pid, signal));
        let input = child.stdin.take();
        let feed = async move {
            if let (Some(mut input), Some(text)) = (input, text) {
                // A pager that is left early has shown enough.
                let _ = input.write_all(text.as_bytes()).await;
            }
            pending().await
        };
        let mut work = pin!(async {
            tokio::select! {
                status = child.wait() => status,
                never = feed => never,
            }
        });
        let number = loop {
            tokio::select! {
                biased;
                told = self.signals.while_lent() => match told {
                    Told::End(number) => break number,
                    // The program stands still: so do we, or the shell would wait for us.
                    _ => signals::stand_still(),
                },
                status = &mut work => {
                    if self.take_again().is_err() {
                        // It hung up, and the program noticed first.
                        self.life = Life::Ending;
                        return Ok(Lent::Ended);
                    }
                    return Ok(status.map_or_else(Lent::NotStarted, Lent::Done));
                }
            }
        };
        self.signal = Some(number);
        self.life = Life::Ending;
        // Of the keys ctrl-\ reached it already; a core that nobody asked for is no way to be told.
        tell(if number == Signal::HUP.as_raw() { Signal::HUP } else { Signal::TERM });
        let left_by_itself = timeout(LAST_MOMENT, &mut work).await.is_ok();
        if !left_by_itself {
            tell(Signal::KILL);
            let _ = work.await;
        }
        // A terminal that is gone needs none.
        let _ = self.tty.get_ref().mend(!left_by_itself);
        Ok(Lent::Ended)
    }

    pub(super) fn leave(&mut self) -> io::Result<()> {
        let given = self.give_back();
        // A terminal that is gone can't be told.
        if self.life == Life::Open { given } else { Ok(()) }
    }

    pub(super) fn hold(&mut self) -> io::Result<()> {
        self.tty.get_ref().hold(&modes::enter(self.mouse))?;
        self.input.asked();
        Ok(())
    }

    pub(super) fn give_back(&mut self) -> io::Result<()> {
        let held = self.tty.get_ref().is_held();
        let torn = held && self.tty.get_ref().write_all(self.out.rest()).is_err();
        self.out.clear();
        if held && !torn && self.life == Life::Open {
            self.await_answers();
        }
        self.pace.forget();
        self.tty.get_ref().release(torn)
    }

    pub(super) fn take_again(&mut self) -> io::Result<()> {
        self.signals.forget_keys();
        self.tty.get_ref().drop_input();
        self.input.reset();
        // What was pressed before was meant for what was seen then.
        self.events.retain(|event| matches!(event, TermEvent::Background { .. }));
        self.hold()?;
        self.redraw();
        self.stale = true;
        Ok(())
    }

    /// Waits a moment for what the terminal was asked, so that nobody else gets it as keys.
    fn await_answers(&mut self) {
        let far = self.pace.awaits_answer();
        let deadline = Instant::now() + if far { LAST_ANSWERS_FAR } else { LAST_ANSWERS };
        let mut buffer = [0; 256];
        while self.input.awaits_answer() || self.pace.awaits_answer() {
            match self.tty.get_ref().read_before(&mut buffer, deadline) {
                Ok(n @ 1..) => self.input.feed(&buffer[..n], &mut self.events),
                _ => return,
            }
            (0..self.input.take_paced()).for_each(|_| self.pace.answer());
        }
    }
}
