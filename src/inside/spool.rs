//! The output of one command, kept in files until the server has stored it.
//!
//! Segments of records `{stream: 1 byte, length: 4 bytes big-endian, bytes}`; a segment's name is the offset of its
//! first byte of output. Whole segments below the committed offset are removed. One process writes (the shim), any
//! number read. The program beside us can write here too, so a reader believes no length or name without checking,
//! and what doesn't fit ends the reading with an error.

use std::{
    fs::{self, File},
    io::{self, BufReader, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use super::words::{PIECE, Stream};

/// A segment is closed when it has this many bytes of output: a reader scans at most one to find its offset.
const SEGMENT: u64 = 4 << 20;

const RECORD: usize = 5;

/// The writing end.
#[derive(Debug)]
pub struct Writer {
    dir: PathBuf,
    file: File,
    start: u64,
    end: u64,
    segments: Vec<u64>,
}

impl Writer {
    /// Starts an empty spool in a folder that exists.
    pub fn create(dir: &Path) -> io::Result<Self> {
        let file = File::create_new(path(dir, 0))?;
        Ok(Self { dir: dir.to_owned(), file, start: 0, end: 0, segments: vec![0] })
    }

    /// Appends what was read.
    pub fn append(&mut self, stream: Stream, bytes: &[u8]) -> io::Result<()> {
        for piece in bytes.chunks(PIECE) {
            if self.end - self.start >= SEGMENT {
                self.file = File::create_new(path(&self.dir, self.end))?;
                self.start = self.end;
                self.segments.push(self.start);
            }
            let mut record = Vec::with_capacity(RECORD + piece.len());
            record.push(stream as u8);
            #[allow(clippy::cast_possible_truncation, reason = "a piece is at most PIECE long")]
            record.extend_from_slice(&(piece.len() as u32).to_be_bytes());
            record.extend_from_slice(piece);
            self.file.write_all(&record)?;
            self.end += piece.len() as u64;
        }
        Ok(())
    }

    /// Offset after the last byte.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Removes segments that lie wholly below an offset; the last one stays.
    pub fn forget(&mut self, below: u64) {
        while self.segments.len() > 1 && self.segments[1] <= below {
            // What can't be removed only costs room.
            let _ = fs::remove_file(path(&self.dir, self.segments.remove(0)));
        }
    }
}

fn path(dir: &Path, start: u64) -> PathBuf {
    dir.join(format!("{start:020}.spool"))
}

/// One record, or the part of it from the asked offset on.
#[derive(Debug, PartialEq, Eq)]
pub struct Record {
    /// Where it came from.
    pub stream: Stream,
    /// Offset of its first byte.
    pub offset: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// A reading end.
#[derive(Debug)]
pub struct Reader {
    dir: PathBuf,
    offset: u64,
    open: Option<Segment>,
}

#[derive(Debug)]
struct Segment {
    file: BufReader<File>,
    start: u64,
    /// Offset of the next record.
    at: u64,
}

impl Reader {
    /// Reads from an offset on.
    pub fn new(dir: &Path, offset: u64) -> Self {
        Self { dir: dir.to_owned(), offset, open: None }
    }

    /// The next record, or nothing when what is there has been read (yet).
    ///
    /// # Errors
    /// Output below the offset was forgotten, or the files aren't what a shim writes.
    pub fn next_record(&mut self) -> io::Result<Option<Record>> {
        loop {
            let Some(segment) = &mut self.open else {
                let Some(segment) = self.find()? else { return Ok(None) };
                self.open = Some(segment);
                continue;
            };
            let before = segment.file.stream_position()?;
            let Some((stream, mut bytes)) = read(&mut segment.file)? else {
                // A record that is half there is read again. A segment that is full is followed by the one that begins
                // where it ends.
                segment.file.seek(SeekFrom::Start(before))?;
                if segment.at > segment.start && path(&self.dir, segment.at).exists() {
                    self.offset = self.offset.max(segment.at);
                    self.open = None;
                    continue;
                }
                return Ok(None);
            };
            let start = segment.at;
            segment.at = start.saturating_add(bytes.len() as u64);
            if segment.at <= self.offset {
                continue;
            }
            bytes.drain(..usize::try_from(self.offset.saturating_sub(start)).unwrap_or(usize::MAX).min(bytes.len()));
            let record = Record { stream, offset: self.offset.max(start), bytes };
            self.offset = segment.at;
            return Ok(Some(record));
        }
    }

    /// The segment that holds the offset.
    fn find(&self) -> io::Result<Option<Segment>> {
        let mut starts: Vec<u64> = fs::read_dir(&self.dir)?
            .filter_map(|e| e.ok()?.file_name().to_str()?.strip_suffix(".spool")?.parse().ok())
            .collect();
        starts.sort_unstable();
        let Some(start) = starts.iter().rev().find(|s| **s <= self.offset).copied() else {
            let what = format!("output below {} was forgotten", starts.first().copied().unwrap_or_default());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        };
        match File::open(path(&self.dir, start)) {
            Ok(file) => Ok(Some(Segment { file: BufReader::new(file), start, at: start })),
            // Forgotten between the listing and now.
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }
}

/// One record at the reader's place; nothing when it isn't all there.
fn read(file: &mut impl Read) -> io::Result<Option<(Stream, Vec<u8>)>> {
    let whole = |r: io::Result<()>| match r {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(e) => Err(e),
    };
    let mut head = [0; RECORD];
    if !whole(file.read_exact(&mut head))? {
        return Ok(None);
    }
    let [kind, length @ ..] = head;
    let stream = match kind {
        0 => Stream::Out,
        1 => Stream::Err,
        _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "the spool holds something else than output")),
    };
    let length = u32::from_be_bytes(length) as usize;
    if length == 0 || length > PIECE {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the spool holds a record that no shim wrote"));
    }
    let mut bytes = vec![0; length];
    Ok(whole(file.read_exact(&mut bytes))?.then_some((stream, bytes)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rest(reader: &mut Reader) -> (Vec<u8>, Option<u64>) {
        let (mut bytes, mut first) = (Vec::new(), None);
        while let Some(record) = reader.next_record().unwrap() {
            first.get_or_insert(record.offset);
            bytes.extend(record.bytes);
        }
        (bytes, first)
    }

    #[test]
    fn what_is_forgotten_is_refused_and_the_rest_stays() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::create(dir.path()).unwrap();
        let block = vec![7; 1 << 20];
        for _ in 0..10 {
            writer.append(Stream::Out, &block).unwrap();
        }
        writer.forget(9 << 20);
        let error = Reader::new(dir.path(), 0).next_record().unwrap_err();
        assert!(error.to_string().contains("forgotten"), "{error}");
        assert_eq!(rest(&mut Reader::new(dir.path(), 9 << 20)).0.len(), 1 << 20);
    }

    #[test]
    fn a_reader_that_waits_sees_what_is_written_later_over_a_new_segment() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::create(dir.path()).unwrap();
        let mut reader = Reader::new(dir.path(), 0);
        let mut got = 0;
        for round in 0..6 {
            assert_eq!(reader.next_record().unwrap(), None, "round {round}");
            writer.append(Stream::Out, &vec![round; 1 << 20]).unwrap();
            got += rest(&mut reader).0.len();
        }
        assert_eq!(got, 6 << 20);
    }

    #[test]
    fn files_that_no_shim_wrote_are_refused() {
        for content in [&b"\x09\x00\x00\x00\x01x"[..], b"\x00\xff\xff\xff\xffx", b"\x00\x00\x00\x00\x00"] {
            let dir = tempfile::tempdir().unwrap();
            fs::write(path(dir.path(), 0), content).unwrap();
            assert!(Reader::new(dir.path(), 0).next_record().is_err());
        }
    }

    proptest! {
        #[test]
        fn any_offset_gives_exactly_what_follows_it(chunks in prop::collection::vec(1usize..5000, 1..8), at in 0.0..1.0f64) {
            let dir = tempfile::tempdir().unwrap();
            let mut writer = Writer::create(dir.path()).unwrap();
            let mut all = Vec::new();
            for (i, size) in chunks.iter().enumerate() {
                let bytes: Vec<u8> = (0..*size).map(|n| (n * 31 + i) as u8).collect();
                writer.append(if i % 2 == 0 { Stream::Out } else { Stream::Err }, &bytes).unwrap();
                all.extend(bytes);
            }
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
            let offset = (all.len() as f64 * at) as usize;
            let (bytes, first) = rest(&mut Reader::new(dir.path(), offset as u64));
            prop_assert_eq!(&bytes, &all[offset..]);
            prop_assert_eq!(first, Some(offset as u64));
        }
    }
}
