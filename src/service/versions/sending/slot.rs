//! One path of the tree that is being saved, and how far it is.

use crate::{
    inside::mover::words::{Content, Entry, Kind, part_count},
    storage::{Upload, manifest::Record},
};

/// How often one file may change under the mover until it is left out.
const MAX_CHANGES: u8 = 3;

/// How far a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It has no object yet.
    Open,
    /// All of it is in the store, or needs nothing there.
    Done,
    /// It was deleted while the save went on.
    Gone,
    /// It stays out of the version, which names it.
    LeftOut,
}

/// One path.
#[derive(Debug)]
pub struct Slot {
    /// What the version says of it.
    pub record: Record,
    /// How far it is.
    pub state: State,
    /// How often it was found changed. Answers to requests of before a change mean nothing.
    pub changes: u8,
    /// An upload in parts, and how many of them are not sent.
    upload: Option<(Upload, u64)>,
}

impl Slot {
    /// Of a path that was found.
    pub fn new(record: Record) -> Self {
        Self { record, state: State::Open, changes: 0, upload: None }
    }

    /// Its path.
    pub fn path(&self) -> &[u8] {
        &self.record.entry.path
    }

    /// What it holds, if it is a file.
    pub fn content(&self) -> Option<&Content> {
        match &self.record.entry.kind {
            Kind::File(content) => Some(content),
            Kind::Folder | Kind::Link { .. } | Kind::LeftOut => None,
        }
    }

    /// The upload that its parts belong to; none if it goes as a whole.
    pub fn upload(&self) -> Option<&Upload> {
        self.upload.as_ref().map(|(upload, _)| upload)
    }

    /// An upload takes its parts: how many there are.
    pub fn begun(&mut self, upload: Upload) -> u32 {
        let parts = self.content().map_or(0, |content| part_count(content.size));
        self.upload = Some((upload, parts));
        u32::try_from(parts).unwrap_or(u32::MAX)
    }

    /// The store has one part more: the upload, if that was its last. A file without one is whole.
    pub fn part_sent(&mut self) -> Option<Upload> {
        let Some((upload, left)) = &mut self.upload else {
            self.state = State::Done;
            return None;
        };
        *left = left.saturating_sub(1);
        (*left == 0).then(|| upload.clone())
    }

    /// It is whole in the store.
    pub fn completed(&mut self) {
        self.upload = None;
        self.state = State::Done;
    }

    /// It wasn't what it was said to be, but is this now. [`State::Open`] means that it is to be sent again; an upload
    /// of what it was is given back.
    pub fn changed(&mut self, now: Option<Entry>) -> Option<Upload> {
        self.changes += 1;
        self.state = match now {
            // A version without it is what the workspace is.
            None => State::Gone,
            Some(now) => match now.kind {
                Kind::File(_) if self.changes < MAX_CHANGES => {
                    self.record.entry = now;
                    State::Open
                }
                // What lies in a folder that was no folder a moment ago, nobody has walked.
                Kind::File(_) | Kind::Folder | Kind::LeftOut => State::LeftOut,
                Kind::Link { .. } => {
                    self.record = Record { entry: now, holder: None, etag: String::new() };
                    State::Done
                }
            },
        };
        self.give_up()
    }

    /// It can't be had. An upload of what came of it is given back.
    pub fn leave_out(&mut self) -> Option<Upload> {
        self.changes += 1;
        self.state = State::LeftOut;
        self.give_up()
    }

    /// An upload that nothing more comes for.
    pub fn give_up(&mut self) -> Option<Upload> {
        self.upload.take().map(|(upload, _)| upload)
    }

    /// What the version says of it in the end.
    pub fn into_record(self) -> Option<Record> {
        match self.state {
            State::Done => Some(self.record),
            State::LeftOut => Some(Record::left_out(self.record.entry.path)),
            State::Open | State::Gone => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inside::mover::words::Digest;

    fn entry(kind: Kind) -> Entry {
        Entry { path: b"a".to_vec(), kind, mode: 0o644, uid: 0, gid: 0, mtime_ns: 0 }
    }

    fn file(byte: u8) -> Entry {
        entry(Kind::File(Content { size: 1, digests: vec![Digest([byte; 32])], inode: None }))
    }

    fn slot() -> Slot {
        Slot::new(Record { entry: file(0), holder: None, etag: String::new() })
    }

    #[test]
    fn a_file_is_sent_again_as_it_is_now_until_that_is_too_often() {
        let mut slot = slot();
        for byte in 1..MAX_CHANGES {
            assert!(slot.changed(Some(file(byte))).is_none());
            assert_eq!((slot.state, slot.changes, &slot.record.entry), (State::Open, byte, &file(byte)));
        }
        slot.changed(Some(file(9)));
        assert_eq!(slot.state, State::LeftOut);
        assert_eq!(slot.into_record().unwrap().entry.kind, Kind::LeftOut);
    }

    #[test]
    fn what_became_of_a_file_decides_what_the_version_says() {
        let link = Kind::Link { target: b"b".to_vec() };
        for (now, said) in [(None, None), (Some(Kind::Folder), Some(Kind::LeftOut)), (Some(link.clone()), Some(link))] {
            let mut slot = slot();
            slot.changed(now.map(entry));
            assert_eq!(slot.into_record().map(|record| record.entry.kind), said);
        }
    }

    #[test]
    fn a_file_of_one_part_is_whole_when_that_is_sent() {
        let mut slot = slot();
        assert!(slot.part_sent().is_none());
        assert_eq!(slot.into_record().unwrap().entry, file(0));
    }
}
