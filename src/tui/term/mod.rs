//! The terminal: its modes, its bytes, and giving it back as it was.
//!
//! ```text
//! bytes ─ lexer: whole tokens ─ input: events ─┐
//! signals ─────────────────────────────────────┴─ Term::next      Term::draw ─ screen: one frame, one write
//! ```
//!
//! Whatever happens (quit, signal, panic, suspension, an editor) the terminal is afterwards as it was before: [`modes`]
//! has both directions, [`tty`] does it. Nothing here waits for an answer of the terminal. Input and output don't block:
//! a terminal that reads slowly gets fewer frames, the latest of them.

mod grid;
mod holding;
mod input;
mod lexer;
mod modes;
mod outgoing;
mod pace;
mod screen;
mod signals;
mod tty;

use std::{collections::VecDeque, env, future::pending, io, os::fd::OwnedFd, sync::Arc};

use base64::{Engine, prelude::BASE64_STANDARD};
use ratatui::{Frame, Terminal};
use rustix::io::Errno;
use tokio::{
    io::{
        Interest,
        unix::{AsyncFd, AsyncFdReadyGuard},
    },
    time::{Instant, sleep_until},
};

pub use self::{
    holding::Lent,
    tty::{Refused, restore_on_panic},
};
use self::{
    input::Input,
    outgoing::Outgoing,
    pace::Pace,
    screen::Screen,
    signals::{Signals, Told},
    tty::Tty,
};
use super::app::{TermEvent, model::Size};

/// Bytes read in one go before other things get their turn: a big paste may not keep signals out.
const TURN: usize = 64 << 10;

/// The longest clipboard that is sent, encoded. Terminals that have a bound have this one (hterm, screen and many after
/// them: 100,000 bytes with what stands around it), and drop what is longer without a word.
pub const MAX_CLIPBOARD: usize = 99_000;

/// What the user likes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manners {
    /// Clicks and the wheel come to us; the terminal's own selection then needs Shift.
    pub mouse: bool,
}

/// The size of the terminal that [`Term::open`] would take; nothing is written.
///
/// # Errors
/// It would be refused.
pub fn look() -> Result<Size, Refused> {
    Ok(Tty::open()?.size())
}

/// The terminal, ours while this lives.
#[derive(Debug)]
pub struct Term {
    /// Watched for input only: room for output comes back after every frame, and each time would wake us for nothing.
    tty: AsyncFd<Arc<Tty>>,
    /// Watched for room, while there is something that didn't find any.
    room: Option<AsyncFd<OwnedFd>>,
    signals: Signals,
    input: Input,
    events: VecDeque<TermEvent>,
    screen: Terminal<Screen>,
    out: Outgoing,
    pace: Pace,
    mouse: bool,
    /// A frame was left out, or the terminal forgot what it showed: whoever draws has to be woken.
    stale: bool,
    life: Life,
    signal: Option<i32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Open,
    /// The end has come and is yet to be told.
    Ending,
    Over,
}

/// What [`Term::next`] waits for.
enum Came {
    Signal(Told),
    Input(io::Result<()>),
    Room,
    Time,
}

impl Term {
    /// Takes the terminal. Must be called within the runtime. Nothing is written where it is refused.
    ///
    /// # Errors
    /// There is no terminal, it can't be drawn on, or the device says no.
    pub fn open(manners: Manners) -> Result<Self, Refused> {
        let tty = Arc::new(Tty::open()?);
        let Size { columns, rows } = tty.size();
        let Ok(screen) = Terminal::new(Screen::new(columns, rows));
        let remote = ["SSH_CONNECTION", "SSH_TTY"].iter().any(|name| env::var_os(name).is_some());
        // Its successor has to be promised that the descriptor stays open and the same; `Tty` owns it.
        #[expect(deprecated, reason = "`register` is unsafe, and no code here is")]
        let tty = AsyncFd::with_interest(tty, Interest::READABLE)?;
        let mut term = Self {
            tty,
            room: None,
            signals: Signals::new()?,
            input: Input::new(remote),
            events: VecDeque::new(),
            screen,
            out: Outgoing::default(),
            pace: Pace::new(remote),
            mouse: manners.mouse,
            stale: false,
            life: Life::Open,
            signal: None,
        };
        term.hold()?;
        Ok(term)
    }

    /// Width and height as the last [`TermEvent::Resized`] said: frames and events always agree.
    pub fn size(&self) -> Size {
        let Ok(size) = self.screen.size();
        Size { columns: size.width, rows: size.height }
    }

    /// The signal that asked the program to end, for its exit code (128 and this).
    pub fn signal(&self) -> Option<i32> {
        self.signal
    }

    /// What happens next. It can be given up and called again without loss; after [`TermEvent::Ended`] nothing comes.
    ///
    /// [`TermEvent::Resized`] also comes with the same size, when a frame has to be drawn although nothing changed:
    /// after a suspension, and when the terminal was too slow for the last one.
    pub async fn next(&mut self) -> TermEvent {
        loop {
            match self.life {
                Life::Open => {}
                Life::Ending => {
                    self.life = Life::Over;
                    return TermEvent::Ended;
                }
                Life::Over => pending().await,
            }
            if let Some(event) = self.events.pop_front() {
                return event;
            }
            if self.stale && self.out.is_empty() && !self.pace.is_full() {
                return self.resized();
            }
            let came = {
                let Self { tty, room, signals, input, events, pace, .. } = self;
                let deadline = input.deadline().into_iter().chain(pace.deadline()).min();
                tokio::select! {
                    biased;
                    told = signals.next() => Came::Signal(told),
                    ready = tty.readable() => Came::Input(ready.and_then(|mut ready| read(&mut ready, input, events))),
                    () = has_room(room.as_ref()) => Came::Room,
                    () = until(deadline) => Came::Time,
                }
            };
            match came {
                Came::Signal(Told::Resized) => return self.resized(),
                Came::Signal(told) => self.told(told),
                Came::Input(Ok(())) => (0..self.input.take_paced()).for_each(|_| self.pace.answer()),
                // It vanished, with or without a signal.
                Came::Input(Err(_)) => self.life = Life::Ending,
                Came::Room => self.send(),
                Came::Time => {
                    if self.input.deadline().is_some_and(|deadline| deadline <= Instant::now()) {
                        self.input.expire(&mut self.events);
                    }
                    self.pace.expire();
                }
            }
            if self.events.contains(&TermEvent::Focused { gained: true }) {
                self.ask_again();
            }
        }
    }

    fn told(&mut self, told: Told) {
        match told {
            Told::End(signal) => {
                self.signal = Some(signal);
                self.life = Life::Ending;
            }
            Told::Stop => {
                if self.suspend().is_err() {
                    self.life = Life::Ending;
                }
            }
            // Stopped by what can't be caught: the shell has changed the device, and we take it again.
            Told::Continued => {
                if !self.tty.get_ref().is_raw() && self.give_back().and_then(|()| self.take_again()).is_err() {
                    self.life = Life::Ending;
                }
                self.stale = true;
            }
            Told::Resized => self.stale = true,
        }
    }

    /// The size is looked up when it is told, never for a frame.
    fn resized(&mut self) -> TermEvent {
        self.stale = false;
        let Size { columns, rows } = self.tty.get_ref().size();
        self.screen.backend_mut().resize(columns, rows);
        TermEvent::Resized { columns, rows }
    }

    /// Draws a frame: what differs from the one before goes out in one write, and nothing does if nothing differs.
    ///
    /// While the terminal hasn't taken the last frame, or a far one has much before it, this one is left out;
    /// [`Term::next`] asks for another when it has.
    ///
    /// # Errors
    /// A panic elsewhere has given the terminal back.
    pub fn draw(&mut self, draw: impl FnOnce(&mut Frame)) -> io::Result<()> {
        if self.life != Life::Open {
            return Ok(());
        }
        if !self.tty.get_ref().is_held() {
            return Err(io::Error::other("the terminal was given back after a panic"));
        }
        if !self.out.is_empty() || self.pace.is_full() {
            self.stale = true;
            return Ok(());
        }
        let Ok(_) = self.screen.draw(draw);
        let frame = &mut self.screen.backend_mut().out;
        self.pace.frame(frame);
        self.out.swap(frame);
        self.send();
        Ok(())
    }

    /// Asks for clicks and the wheel, or leaves them to the terminal.
    ///
    /// # Errors
    /// None yet; a terminal that is gone is told by [`Term::next`].
    pub fn set_mouse(&mut self, on: bool) -> io::Result<()> {
        self.mouse = on;
        self.order(modes::mouse(on));
        Ok(())
    }

    /// Sends a text to the clipboard of the person's terminal, wherever that is. Whether the terminal takes it isn't
    /// known; one that is longer than terminals take isn't sent, which is said.
    pub fn copy(&mut self, text: &str) -> bool {
        let encoded = BASE64_STANDARD.encode(text);
        let fits = encoded.len() <= MAX_CLIPBOARD;
        if fits {
            self.order(format!("\x1b]52;c;{encoded}\x1b\\").as_bytes());
        }
        fits
    }

    /// Lets the next frame be drawn as a whole.
    pub fn redraw(&mut self) {
        self.screen.backend_mut().anew();
        let Ok(()) = self.screen.clear();
    }

    /// Gives the terminal back. Dropping does the same.
    ///
    /// # Errors
    /// It couldn't be told, or its device not be set.
    pub fn close(mut self) -> io::Result<()> {
        self.leave()
    }

    /// Asks for the background when the keyboard comes back: terminals that don't tell of a change are many.
    fn ask_again(&mut self) {
        if !self.input.awaits_answer() {
            self.input.asked();
            self.order(modes::ASK);
        }
    }

    /// Sends an order after what is on its way.
    fn order(&mut self, bytes: &[u8]) {
        if self.life == Life::Open && self.tty.get_ref().is_held() {
            self.out.push(bytes);
            self.send();
        }
    }

    fn send(&mut self) {
        let fd = self.tty.get_ref().fd();
        let sent = self.out.send(fd);
        if self.out.is_empty() {
            self.room = None;
        }
        let watched = sent.and_then(|()| {
            if !self.out.is_empty() && self.room.is_none() {
                self.room = Some(watch_room(fd)?);
            }
            Ok(())
        });
        if watched.is_err() {
            self.life = Life::Ending;
        }
    }
}

impl Drop for Term {
    fn drop(&mut self) {
        let _ = self.leave();
    }
}

/// A duplicate: what watches a descriptor does so for one purpose, and ours is watched for input.
fn watch_room(fd: &OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    #[expect(deprecated, reason = "`register` is unsafe, and no code here is")]
    AsyncFd::with_interest(fd.try_clone()?, Interest::WRITABLE)
}

async fn has_room(room: Option<&AsyncFd<OwnedFd>>) {
    let Some(room) = room else { return pending().await };
    // Before the write: should it find no room, the next edge wakes us.
    if let Ok(mut ready) = room.writable().await {
        ready.clear_ready();
    }
}

async fn until(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}

/// Reads what is there, a turn's worth at most. An error or nothing to read means that the terminal is gone.
fn read(
    ready: &mut AsyncFdReadyGuard<'_, Arc<Tty>>,
    input: &mut Input,
    events: &mut VecDeque<TermEvent>,
) -> io::Result<()> {
    // What a terminal's device gives at once.
    let mut buffer = [0; 4096];
    let mut taken = 0;
    while taken < TURN {
        match rustix::io::read(ready.get_inner().fd(), &mut buffer) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => {
                taken += n;
                input.feed(&buffer[..n], events);
            }
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                ready.clear_ready();
                return Ok(());
            }
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}
