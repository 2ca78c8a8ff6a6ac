//! Taking the terminal and giving it back: for good, for a program that has it meanwhile, and while we stand still.

use std::{
    io,
    pin::pin,
    time::{Duration, Instant},
};

use super::{Life, Term, TermEvent, modes, signals};

/// How long the last answers may take when the terminal goes to somebody else, who would get them as keys.
const LAST_ANSWERS: Duration = Duration::from_millis(100);

/// The same of a far terminal that has much before it.
const LAST_ANSWERS_FAR: Duration = Duration::from_millis(500);

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

    /// Lends the terminal to a program while `work` is done: an editor, a pager. Its input isn't read meanwhile.
    ///
    /// # Errors
    /// The terminal can't be given back or taken again.
    pub async fn lend<T>(&mut self, work: impl Future<Output = T>) -> io::Result<T> {
        self.give_back()?;
        let mut work = pin!(work);
        let done = loop {
            tokio::select! {
                done = &mut work => break done,
                // The program stands still: so do we, or the shell would wait for us.
                () = self.signals.stopped() => signals::stand_still(),
            }
        };
        self.take_again()?;
        Ok(done)
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
