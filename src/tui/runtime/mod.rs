//! The loop: one queue in, one frame out; effects run beside it.
//!
//! The terminal, the results of effects and the timers are taken as they come; what has come is taken whole before
//! one frame is drawn, and nothing is drawn when nothing came. The loop never waits for a server, a disk or a process:
//! only an editor or a pager, which have the terminal then, hold it up.

mod away;
mod calls;
mod clipboard;
mod drafts;
mod follow;
mod history;
mod timers;
mod whole;

use std::{
    collections::VecDeque,
    io,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::{Timestamp, tz::TimeZone};
use tokio::sync::mpsc;
use uuid::Uuid;

pub use self::clipboard::Clipboard;
use self::{calls::Calls, drafts::Drafts, timers::Timers};
use super::{
    app::{
        Effect, EffectId, Event, Model, Outcome, TermEvent,
        model::{Place, Size},
        update,
    },
    keymap::Keymap,
    term::Term,
    theme::{Background, Colors, Theme, ThemeError},
    view,
};
use crate::{api::Scope, client::Client, fault};

/// Results that wait for the loop. The event stream brings most; when the loop is that far behind, the stream waits,
/// and the server cuts a follower off that waits too long, who then begins with a keyframe.
const QUEUE: usize = 256;

/// Events that are taken before a frame is drawn at the latest, so that a flood can't hold a key's echo back.
const MOST_AT_ONCE: usize = 512;

/// Time between two frames that no key asked for: what an eye follows. A line that is far away has less, since what it
/// takes up is what a key's echo waits behind.
const FRAME: Duration = Duration::from_millis(16);
/// The same over ssh.
const FRAME_FAR: Duration = Duration::from_millis(40);

/// What the screen is opened with.
pub struct Options {
    /// Whose things, and where.
    pub scope: Scope,
    /// Which keys do what.
    pub keymap: Keymap,
    /// What things look like.
    pub themes: Themes,
    /// Clicks and the wheel are ours.
    pub mouse: bool,
    /// Borders and marks are plain ASCII.
    pub ascii: bool,
    /// Nothing moves by itself.
    pub still: bool,
    /// The terminal is on another machine.
    pub far: bool,
    /// Folder for prompts of earlier days, drafts, and the draft that an editor gets.
    pub data: PathBuf,
    /// Where copies go beside the terminal.
    pub clipboard: Clipboard,
}

/// Themes for both backgrounds, made when they are first needed.
pub struct Themes {
    user: Option<(PathBuf, String)>,
    fixed: Option<Background>,
    colors: Colors,
    now: Theme,
}

impl Themes {
    /// The theme for a background, or for what the terminal will say; `user` is the user's own: where it is, and its
    /// text.
    ///
    /// # Errors
    /// The user's can't be taken: told before the screen is there.
    pub fn new(user: Option<(PathBuf, String)>, fixed: Option<Background>, colors: Colors) -> Result<Self, ThemeError> {
        let of = user.as_ref().map(|(path, text)| (path.as_path(), text.as_str()));
        // Dark until the terminal says otherwise: most are, and dark's colours can be read on light.
        let now = Theme::load(of, fixed.unwrap_or(Background::Dark), colors)?;
        Ok(Self { user, fixed, colors, now })
    }

    fn for_background(&mut self, said: Option<Background>) -> &Theme {
        let wanted = self.fixed.or(said).unwrap_or(self.now.background());
        if wanted != self.now.background() {
            let of = self.user.as_ref().map(|(path, text)| (path.as_path(), text.as_str()));
            // It was taken once, for both backgrounds.
            if let Ok(theme) = Theme::load(of, wanted, self.colors) {
                self.now = theme;
            }
        }
        &self.now
    }
}

/// Opens the screen and runs it to its end. The client is asked for when the first frame stands, which needs none; the
/// server is started by the first call. The terminal is given back by its owner.
///
/// # Errors
/// The terminal's, and why there is no client.
pub async fn run<E: From<io::Error>>(
    term: &mut Term,
    client: impl FnOnce() -> Result<Client, E>,
    options: Options,
) -> Result<(), E> {
    let Options { scope, keymap, mut themes, mouse, ascii, still, far, data, clipboard } = options;
    let place = Place {
        account: scope.account.clone(),
        profile: scope.profile,
        zone: TimeZone::UTC,
        seed: Uuid::new_v4(),
        ascii,
        still,
    };
    let mut model = Model::new(place, Arc::new(keymap), term.size(), Timestamp::now());
    model.mouse = mouse;
    // The first frame comes before the first question, and before the system's time zones are looked through: nothing
    // with a time is there yet.
    let theme = themes.for_background(None);
    term.draw(|frame| view::draw(&model, theme, frame))?;
    model.place.zone = TimeZone::system();
    let client = client()?;

    let (sender, queue) = mpsc::channel(QUEUE);
    tokio::spawn(follow::follow(client.clone(), scope.account.clone(), sender.clone()));
    let frame = if far { FRAME_FAR } else { FRAME };
    let drafts = Drafts::new(data.join("drafts").join(scope.profile.as_str()).join(scope.account.as_str()));
    let calls = Calls::new(client, scope, data.join("prompts"), drafts, sender);
    Loop { term, model, themes, calls, queue, timers: Timers::default(), own: VecDeque::new(), frame, clipboard, data }
        .run()
        .await?;
    Ok(())
}

struct Loop<'a> {
    term: &'a mut Term,
    model: Model,
    themes: Themes,
    calls: Calls,
    queue: mpsc::Receiver<Event>,
    timers: Timers,
    /// Outcomes of effects that were carried out on the spot.
    own: VecDeque<Event>,
    /// The least time between two frames that no key asked for.
    frame: Duration,
    clipboard: Clipboard,
    /// Folder for the draft that an editor gets.
    data: PathBuf,
}

impl Loop<'_> {
    async fn run(mut self) -> io::Result<()> {
        let ended = self.go_on().await;
        if !self.model.ended {
            // The terminal failed, and nobody told the model.
            let effects = update(&mut self.model, Timestamp::now(), Event::Term(TermEvent::Ended));
            for effect in effects.into_iter().filter(|effect| matches!(effect, Effect::KeepDraft { .. })) {
                self.calls.start(effect);
            }
        }
        self.calls.settled().await;
        ended
    }

    async fn go_on(&mut self) -> io::Result<()> {
        let mut drawn = Instant::now();
        let mut due: Option<Instant> = None;
        // What needs no server, such as drafts, waits for no event.
        let Size { columns, rows } = self.term.size();
        self.take_all(Event::Term(TermEvent::Resized { columns, rows }), true).await?;
        while !self.model.ended {
            let (event, pressing) = tokio::select! {
                biased;
                event = self.term.next() => (Event::Term(event), true),
                () = sleep_until(due), if due.is_some() => {
                    due = None;
                    drawn = Instant::now();
                    self.draw()?;
                    continue;
                }
                Some(event) = self.queue.recv() => (event, false),
                timer = self.timers.next() => (Event::Elapsed { timer }, false),
            };
            fault::point("screen");
            let pressed = self.take_all(event, pressing).await?;
            if self.model.ended {
                break;
            }
            // What a key changed is shown at once; what streams waits for its frame.
            if pressed || drawn.elapsed() >= self.frame {
                due = None;
                drawn = Instant::now();
                self.draw()?;
            } else if due.is_none() {
                due = Some(drawn + self.frame);
            }
        }
        Ok(())
    }

    /// Takes an event and all that wait behind it; whether the terminal said one of them.
    async fn take_all(&mut self, first: Event, mut pressed: bool) -> io::Result<bool> {
        let mut next = Some(first);
        for _ in 0..MOST_AT_ONCE {
            let Some(event) = next.take() else { break };
            let effects = update(&mut self.model, Timestamp::now(), event);
            for effect in effects {
                self.carry_out(effect).await?;
            }
            if self.model.ended {
                break;
            }
            next = self.own.pop_front().or_else(|| self.queue.try_recv().ok());
            if next.is_none()
                && let Some(event) = futures::FutureExt::now_or_never(self.term.next())
            {
                pressed = true;
                next = Some(Event::Term(event));
            }
        }
        if let Some(event) = next {
            self.own.push_front(event);
        }
        Ok(pressed)
    }

    fn draw(&mut self) -> io::Result<()> {
        let theme = self.themes.for_background(self.model.background);
        let model = &self.model;
        self.term.draw(|frame| view::draw(model, theme, frame))
    }

    async fn carry_out(&mut self, effect: Effect) -> io::Result<()> {
        match effect {
            Effect::Quit => self.model.ended = true,
            Effect::Suspend => {
                self.term.suspend()?;
                self.resized();
            }
            Effect::Redraw => self.term.redraw(),
            Effect::SetMouse { on } => self.term.set_mouse(on)?,
            Effect::Copy { id, text } => {
                let sent = self.term.copy(&text);
                let clipboard = self.clipboard.clone();
                self.calls.spawn(id, async move { Outcome::Copied(clipboard.take(text, sent).await) });
            }
            Effect::SetTimer { timer, after } => self.timers.set(timer, after),
            Effect::StopTimer { timer } => self.timers.stop(timer),
            Effect::Edit { id, text } => {
                let edited = away::edit(self.term, &self.data, &text).await?;
                self.done(id, Outcome::Edited(edited));
                self.resized();
            }
            Effect::Page { id, text } => {
                let paged = away::page(self.term, &text).await?;
                self.done(id, Outcome::Paged(paged));
                self.resized();
            }
            effect => self.calls.start(effect),
        }
        Ok(())
    }

    fn done(&mut self, id: EffectId, outcome: Outcome) {
        self.own.push_back(Event::Done { id, outcome: Box::new(outcome) });
    }

    /// The terminal may have another size after it was away.
    fn resized(&mut self) {
        let Size { columns, rows } = self.term.size();
        self.own.push_back(Event::Term(TermEvent::Resized { columns, rows }));
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}
