//! From the bytes of one run of the CLI to what is stored and what is shown live. Pure: the caller reads the spool
//! and writes the database.
//!
//! What is stored ends at a complete line, and never holds a piece of one: a new server reads on at [`Batch::offset`]
//! and folds the stored lines again, and the result is what it would have been without the break.

use crate::{
    agent::{
        Ending, Event, Fold, Splitter,
        fold::{Change, OpenBlock},
        stream::{self, Piece},
    },
    core::{Item, Untrusted, Usage},
};

/// What some bytes completed: stored in one transaction.
#[derive(Debug, Default, PartialEq)]
pub struct Batch {
    /// Complete lines of the CLI, but those that only stream (the line that follows repeats them whole).
    pub lines: Vec<String>,
    /// Items that these lines made or changed, in order.
    pub items: Vec<Item>,
    /// What results among them cost, by their number in the process.
    pub usage: Vec<(u64, Usage)>,
    /// Output up to here is in the batch or in one before it.
    pub offset: u64,
}

impl Batch {
    /// Nothing to store.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.items.is_empty()
    }
}

/// Reads one run of the CLI.
#[derive(Debug)]
pub struct Reader {
    splitter: Splitter,
    fold: Fold,
    offset: u64,
    results: u64,
}

impl Reader {
    /// A reader for a process whose output is stored up to `offset`: `stored` are its lines, in order, and `before` is
    /// what its session had cost when it began.
    pub fn new<'a>(process: &str, before: Usage, stored: impl IntoIterator<Item = &'a str>, offset: u64) -> Self {
        let mut reader = Self { splitter: Splitter::new(offset), fold: Fold::new(process, before), offset, results: 0 };
        for line in stored {
            reader.line(line, &mut Batch::default());
        }
        reader.fold.take_changes();
        reader
    }

    /// Takes the next bytes of output.
    pub fn push(&mut self, bytes: &[u8]) -> Batch {
        let pieces = self.splitter.push(bytes);
        self.batch(pieces)
    }

    /// The output has ended: a last line without its end counts, and calls without a result get none.
    pub fn finish(&mut self) -> Batch {
        let splitter = std::mem::replace(&mut self.splitter, Splitter::new(self.offset));
        let mut batch = self.batch(splitter.finish().into_iter().collect());
        batch.items.extend(self.fold.end());
        batch
    }

    /// How the run ended, by its exit code and what it printed.
    pub fn ending(&self, code: Option<i32>) -> Ending {
        Ending::of(code, self.fold.last_result(), self.fold.stray())
    }

    /// The fold, for the session, the costs and the open blocks.
    pub fn fold(&self) -> &Fold {
        &self.fold
    }

    /// Blocks being written now.
    pub fn open(&self) -> Vec<OpenBlock> {
        self.fold.open()
    }

    /// What changed in open blocks since the last call.
    pub fn take_changes(&mut self) -> Vec<Change> {
        self.fold.take_changes()
    }

    fn batch(&mut self, pieces: Vec<Piece>) -> Batch {
        let mut batch = Batch { offset: self.offset, ..Batch::default() };
        for piece in pieces {
            let end = match piece {
                Piece::Line { text, end } => {
                    self.line(&text, &mut batch);
                    end
                }
                Piece::Stray { text, end } => {
                    self.fold.apply(&stray(&text));
                    end
                }
                Piece::Oversized { bytes, end } => {
                    self.fold.apply(&stray(&format!("a line of {bytes} bytes was left out")));
                    end
                }
            };
            batch.offset = end;
        }
        self.offset = batch.offset;
        batch
    }

    fn line(&mut self, text: &str, batch: &mut Batch) {
        let line = stream::parse(text);
        let before = self.fold.spent();
        batch.items.extend(self.fold.apply(&line));
        match &line.event {
            Event::Stream(_) => return,
            Event::Result(result) => {
                let number = result.result_index.unwrap_or(self.results);
                self.results += 1;
                batch.usage.push((number, self.fold.spent().since(before)));
            }
            _ => {}
        }
        batch.lines.push(text.to_owned());
    }
}

fn stray(text: &str) -> stream::Line {
    stream::Line { uuid: None, session_id: None, parent: None, event: Event::Stray(Untrusted::new(text)) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn recording(name: &str) -> Vec<u8> {
        std::fs::read(format!("{}/tests/fixtures/claude/{name}.jsonl", env!("CARGO_MANIFEST_DIR"))).unwrap()
    }

    /// What a store holds after some batches.
    #[derive(Default, Debug, PartialEq)]
    struct Stored {
        lines: Vec<String>,
        items: Vec<Item>,
        usage: std::collections::BTreeMap<u64, Usage>,
        offset: u64,
    }

    impl Stored {
        fn commit(&mut self, batch: Batch) {
            self.lines.extend(batch.lines);
            for item in batch.items {
                match self.items.iter_mut().find(|i| i.key == item.key) {
                    Some(old) => *old = item,
                    None => self.items.push(item),
                }
            }
            self.usage.extend(batch.usage);
            self.offset = batch.offset;
        }
    }

    fn undisturbed(bytes: &[u8]) -> Stored {
        let mut stored = Stored::default();
        let mut reader = Reader::new("p", Usage::default(), [], 0);
        stored.commit(reader.push(bytes));
        stored.commit(reader.finish());
        stored
    }

    #[test]
    fn lines_that_only_stream_are_not_stored() {
        let stored = undisturbed(&recording("markdown-partial"));
        assert!(!stored.lines.iter().any(|l| l.contains("\"stream_event\"")));
        assert_eq!(stored.usage.len(), 1);
    }

    #[test]
    fn a_cut_line_is_told_with_the_ending_and_nothing_of_it_stored() {
        let whole = recording("plain");
        let cut = &whole[..whole.len() - 40];
        let mut reader = Reader::new("p", Usage::default(), [], 0);
        let mut stored = Stored::default();
        stored.commit(reader.push(cut));
        assert!(stored.offset < cut.len() as u64);
        stored.commit(reader.finish());
        assert!(matches!(reader.ending(Some(137)), Ending::Broken { code: Some(137), .. }));
    }

    proptest! {
        /// Servers die at any byte, with more read than stored; the next one begins at the stored offset.
        #[test]
        fn a_server_that_dies_and_comes_back_stores_what_one_that_lives_does(
            name in prop::sample::select(vec!["tools-partial", "background-bash", "subagent", "perm-default"]),
            deaths in prop::collection::vec((0.0..1.0f64, 0usize..2000), 0..4),
        ) {
            let bytes = recording(name);
            let mut stored = Stored::default();
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
            for (at, unread) in deaths {
                let from = usize::try_from(stored.offset).unwrap();
                let to = from + ((bytes.len() - from) as f64 * at) as usize;
                let lines = stored.lines.clone();
                let mut reader = Reader::new("p", Usage::default(), lines.iter().map(String::as_str), stored.offset);
                let middle = to.saturating_sub(unread).max(from);
                stored.commit(reader.push(&bytes[from..middle]));
                // Read, perhaps shown, and lost before its commit.
                reader.push(&bytes[middle..to]);
            }
            let from = usize::try_from(stored.offset).unwrap();
            let lines = stored.lines.clone();
            let mut reader = Reader::new("p", Usage::default(), lines.iter().map(String::as_str), stored.offset);
            stored.commit(reader.push(&bytes[from..]));
            stored.commit(reader.finish());
            prop_assert_eq!(stored, undisturbed(&bytes));
        }
    }
}
