//! An answer as it comes: text while it is written, tools in a line each.
//!
//! The stream has each block twice: as deltas while it grows, and as the CLI's line when it is whole. The line is what
//! counts; of it is printed what the deltas have not shown.

use std::{
    collections::{HashMap, HashSet},
    io,
};

use super::{items, stream::Growing};
use crate::{
    agent::{Fold, stream},
    api::{EventBody, Live, Published},
    cli::out,
    core::{
        ConversationId, Item, ItemBody, RequestId, Usage,
        item::{Level, ToolState},
    },
};

/// Prints one turn.
pub(super) struct Answer {
    request: RequestId,
    /// Known from the first line of the turn, if the user didn't name it.
    conversation: Option<ConversationId>,
    json: bool,
    fold: Fold,
    growing: HashMap<String, Growing>,
    /// Calls whose line is printed, and those whose outcome is.
    called: HashSet<String>,
    ended: HashSet<String>,
    /// The call whose line is the last one printed.
    above: Option<String>,
    /// The cursor stands behind text of this block.
    open: Option<String>,
    said: bool,
    /// Our output broke; told at the end.
    broken: Option<io::Error>,
}

impl Answer {
    /// Of this command.
    pub fn new(request: RequestId, conversation: Option<ConversationId>, json: bool) -> Self {
        Self {
            request,
            conversation,
            json,
            fold: Fold::new(request.to_string(), Usage::default()),
            growing: HashMap::new(),
            called: HashSet::new(),
            ended: HashSet::new(),
            above: None,
            open: None,
            said: false,
            broken: None,
        }
    }

    /// Whether anything of the answer was printed.
    pub fn said_anything(&self) -> bool {
        self.said
    }

    /// Prints what a message of the stream adds.
    pub fn take(&mut self, published: &Published) {
        if self.broken.is_none()
            && let Err(e) = self.print(published)
        {
            self.broken = Some(e);
        }
    }

    /// Ends the last line.
    pub fn end(&mut self) -> io::Result<()> {
        if let Some(e) = self.broken.take() {
            return Err(e);
        }
        self.close()
    }

    fn print(&mut self, published: &Published) -> io::Result<()> {
        match published {
            Published::Event(event) => match &event.body {
                EventBody::Line { conversation, request_id: Some(id), raw } if *id == self.request => {
                    self.conversation = Some(*conversation);
                    self.line(raw.raw())
                }
                _ => Ok(()),
            },
            Published::Live(Live::Delta { conversation, item, block, from, text }) => {
                self.delta(*conversation, item, block, *from, text.raw())
            }
            Published::Live(Live::Keyframe { open, .. }) => open
                .iter()
                .try_for_each(|block| self.delta(block.conversation, &block.item, &block.block, 0, block.text.raw())),
            Published::Live(Live::Dropped { conversation, items }) if self.conversation == Some(*conversation) => {
                self.drop_begun(items)
            }
            Published::Live(_) => Ok(()),
        }
    }

    fn line(&mut self, raw: &str) -> io::Result<()> {
        if self.json {
            self.said = true;
            return out::line(raw);
        }
        for item in self.fold.apply(&stream::parse(raw)) {
            self.item(&item)?;
        }
        Ok(())
    }

    fn item(&mut self, item: &Item) -> io::Result<()> {
        match &item.body {
            ItemBody::Text { text, .. } => {
                self.grow(&item.key, 0, text.raw())?;
                self.close()
            }
            ItemBody::Tool(tool) => {
                if self.called.insert(item.key.clone()) {
                    self.close()?;
                    self.said = true;
                    out::line(items::call(tool))?;
                    self.above = Some(item.key.clone());
                }
                if tool.state != ToolState::Running
                    && self.ended.insert(item.key.clone())
                    && let Some(outcome) = items::outcome(tool)
                {
                    self.close()?;
                    if self.above.as_deref() != Some(item.key.as_str()) {
                        // Another call, or text, stands above it.
                        out::line(items::call(tool))?;
                    }
                    self.above = None;
                    out::line(outcome)?;
                }
                Ok(())
            }
            ItemBody::Notice { level, text } => {
                self.close()?;
                self.said = true;
                self.above = None;
                items::notice(*level, text.clean().as_str())
            }
            // Told once for the whole turn, when it ends.
            ItemBody::Prompt { .. } | ItemBody::Thinking { .. } | ItemBody::Result { .. } => Ok(()),
        }
    }

    fn delta(
        &mut self,
        conversation: ConversationId,
        item: &str,
        block: &str,
        from: u64,
        text: &str,
    ) -> io::Result<()> {
        if self.json || block != "text" || self.conversation != Some(conversation) {
            return Ok(());
        }
        self.grow(item, from, text)
    }

    /// Prints what `text`, which begins at `from`, adds to a block. What lies further on than we are was missed and
    /// comes with the block's line.
    fn grow(&mut self, key: &str, from: u64, text: &str) -> io::Result<()> {
        let known = self.growing.get(key).map_or(0, Growing::length);
        let Some(skip) = known.checked_sub(from).and_then(|n| usize::try_from(n).ok()) else { return Ok(()) };
        let Some(more) = text.get(skip..).filter(|more| !more.is_empty()) else { return Ok(()) };
        if self.open.as_deref().is_some_and(|open| open != key) {
            self.close()?;
        }
        let growing = self.growing.entry(key.to_owned()).or_default();
        let shown = growing.push(more);
        self.above = None;
        self.open = Some(key.to_owned());
        self.said = true;
        out::raw(shown.as_bytes())
    }

    /// What was printed of these blocks is no part of the answer: the API broke off, and Claude begins again. It can't
    /// be taken back where lines go to a pipe or have scrolled away, so it is said.
    fn drop_begun(&mut self, items: &[String]) -> io::Result<()> {
        let begun = items.iter().filter(|key| self.growing.get(*key).is_some_and(|shown| shown.length() > 0)).count();
        if begun == 0 {
            return Ok(());
        }
        self.close()?;
        self.growing.retain(|key, _| !items.contains(key));
        items::notice(Level::Warning, "that answer broke off and doesn't count; Claude begins again")
    }

    /// Ends the line that the cursor stands in.
    fn close(&mut self) -> io::Result<()> {
        let in_line = self.open.take().and_then(|key| self.growing.get(&key)).is_some_and(Growing::in_line);
        if in_line { out::line("") } else { Ok(()) }
    }
}
