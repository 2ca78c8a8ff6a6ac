//! Output logs: files in `DIR/execs/ID/`, written by the keeper and read by any engine, also after the keeper's end.
//!
//! A log is a row of segments named `out.START` or `err.START`, where START is the place of the segment's first byte
//! in the whole output. When a bound is reached the oldest segment is deleted, so the kept start is the smallest name:
//! nothing beside the files says it, and nothing can disagree with it.

use std::{
    collections::VecDeque,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use super::wire::OutputFd;

/// A bound is kept by dropping at most an eighth of it at once…
const SEGMENTS: u64 = 8;
/// …in pieces that are neither too many files nor hold much back.
const SEGMENT_MIN: u64 = 4 << 10;
const SEGMENT_MAX: u64 = 32 << 20;

/// One log that is being written.
#[derive(Debug)]
pub struct Log {
    folder: PathBuf,
    fd: OutputFd,
    /// Bytes written since the start.
    pub end: u64,
    current: Option<(u64, File)>,
}

impl Log {
    /// An empty log; its first file appears with its first byte.
    pub fn new(folder: PathBuf, fd: OutputFd) -> Self {
        Self { folder, fd, end: 0, current: None }
    }
}

/// The bounds of one sandbox and what is kept under them, oldest first.
#[derive(Debug)]
pub struct Keep {
    exec_max: u64,
    sandbox_max: u64,
    /// Segments that are no longer written: folder, log, start, length.
    done: VecDeque<(PathBuf, OutputFd, u64, u64)>,
    total: u64,
}

impl Keep {
    /// Bounds in bytes for one exec and for all of them together.
    pub fn new(exec_max: u64, sandbox_max: u64) -> Self {
        Self { exec_max, sandbox_max, done: VecDeque::new(), total: 0 }
    }

    /// Appends, and drops what is oldest when a bound is reached.
    pub fn append(&mut self, log: &mut Log, mut data: &[u8]) -> io::Result<()> {
        let size = (self.exec_max.min(self.sandbox_max) / SEGMENTS).clamp(SEGMENT_MIN, SEGMENT_MAX);
        while !data.is_empty() {
            let (start, mut file) = match log.current.take() {
                Some(current) => current,
                None => (log.end, create(&segment(&log.folder, log.fd, log.end))?),
            };
            let room = usize::try_from(start + size - log.end).unwrap_or(usize::MAX);
            let (now, later) = data.split_at(room.min(data.len()));
            let written = file.write_all(now);
            if written.is_err() {
                // Disk full in the middle: the file is cut back, so that its length stays what `end` says.
                file.set_len(log.end - start)?;
            } else {
                log.end += now.len() as u64;
                self.total += now.len() as u64;
                data = later;
            }
            if log.end - start >= size {
                self.done.push_back((log.folder.clone(), log.fd, start, size));
            } else {
                log.current = Some((start, file));
            }
            written?;
            self.shrink(log, size);
        }
        Ok(())
    }

    /// No more comes: its last segment may be dropped like the others, and is no longer held open.
    pub fn close(&mut self, log: &mut Log) {
        if let Some((start, _)) = log.current.take() {
            self.done.push_back((log.folder.clone(), log.fd, start, log.end - start));
        }
    }

    fn shrink(&mut self, log: &Log, size: u64) {
        let mine = |d: &(PathBuf, OutputFd, u64, u64)| d.0 == log.folder;
        let of_exec: u64 = self.done.iter().filter(|d| mine(d)).map(|d| d.3).sum();
        if of_exec + size > self.exec_max
            && let Some(i) = self.done.iter().position(mine)
        {
            self.drop_at(i);
        }
        while self.total > self.sandbox_max && !self.done.is_empty() {
            self.drop_at(0);
        }
    }

    fn drop_at(&mut self, i: usize) {
        if let Some((folder, fd, start, length)) = self.done.remove(i) {
            self.total -= length.min(self.total);
            // A file that can't be removed is disk that isn't given back; the output itself goes on.
            let _ = fs::remove_file(segment(&folder, fd, start));
        }
    }
}

fn segment(folder: &Path, fd: OutputFd, start: u64) -> PathBuf {
    folder.join(format!("{}.{start}", fd.name()))
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Why a piece of a log can't be read.
#[derive(Debug)]
pub enum ReadError {
    /// It was dropped; reading goes on at `start`.
    OutOfRange {
        /// First byte that is kept.
        start: u64,
    },
    /// The disk said no.
    Io(io::Error),
}

/// A reader of one log, at its own pace.
#[derive(Debug)]
pub struct Reader {
    folder: PathBuf,
    fd: OutputFd,
    current: Option<(u64, File)>,
}

impl Reader {
    /// Of the log `fd` in the exec's folder.
    pub fn new(folder: PathBuf, fd: OutputFd) -> Self {
        Self { folder, fd, current: None }
    }

    /// Up to `max` bytes at `offset`; empty when the log ends there for now.
    pub fn read(&mut self, offset: u64, max: usize) -> Result<Vec<u8>, ReadError> {
        // A segment found by name may be dropped before it is opened, then the names are read again.
        loop {
            if let Some((start, file)) = &self.current
                && let Some(place) = offset.checked_sub(*start)
            {
                let mut buffer = vec![0; max];
                let n = file.read_at(&mut buffer, place).map_err(ReadError::Io)?;
                if n > 0 {
                    buffer.truncate(n);
                    return Ok(buffer);
                }
            }
            let starts = starts(&self.folder, self.fd).map_err(ReadError::Io)?;
            match starts.iter().rev().find(|s| **s <= offset) {
                None => match starts.first() {
                    Some(start) => return Err(ReadError::OutOfRange { start: *start }),
                    None => return Ok(Vec::new()),
                },
                Some(start) if self.current.as_ref().is_some_and(|c| c.0 == *start) => return Ok(Vec::new()),
                Some(start) => match File::open(segment(&self.folder, self.fd, *start)) {
                    Ok(file) => self.current = Some((*start, file)),
                    Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                    Err(e) => return Err(ReadError::Io(e)),
                },
            }
        }
    }
}

fn starts(folder: &Path, fd: OutputFd) -> io::Result<Vec<u64>> {
    let mut starts = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let place = name.to_str().and_then(|n| n.strip_prefix(fd.name())).and_then(|n| n.strip_prefix('.'));
        if let Some(start) = place.and_then(|p| p.parse().ok()) {
            starts.push(start);
        }
    }
    starts.sort_unstable();
    Ok(starts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(folder: &Path, mut offset: u64) -> Vec<u8> {
        let mut reader = Reader::new(folder.to_path_buf(), OutputFd::Out);
        let mut bytes = Vec::new();
        loop {
            let piece = reader.read(offset, 1000).unwrap();
            if piece.is_empty() {
                return bytes;
            }
            offset += piece.len() as u64;
            bytes.extend(piece);
        }
    }

    #[test]
    fn what_is_kept_reads_back_at_its_offsets_and_what_was_dropped_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let mut keep = Keep::new(64 << 10, 1 << 30);
        let mut log = Log::new(dir.path().to_path_buf(), OutputFd::Out);
        let whole: Vec<u8> = (0..200_000u32).map(|i| (i % 251) as u8).collect();
        for piece in whole.chunks(777) {
            keep.append(&mut log, piece).unwrap();
        }
        assert_eq!(log.end, whole.len() as u64);
        let mut reader = Reader::new(dir.path().to_path_buf(), OutputFd::Out);
        let Err(ReadError::OutOfRange { start }) = reader.read(0, 10) else { panic!("the head was to be dropped") };
        assert!(whole.len() as u64 - start <= 64 << 10, "kept {}", whole.len() as u64 - start);
        assert!(whole.len() as u64 - start >= 32 << 10, "kept {}", whole.len() as u64 - start);
        assert_eq!(all(dir.path(), start), whole[usize::try_from(start).unwrap()..]);
        assert_eq!(all(dir.path(), 199_990), whole[199_990..]);
    }

    #[test]
    fn the_sandbox_bound_drops_the_oldest_exec_first() {
        let dir = tempfile::tempdir().unwrap();
        let mut keep = Keep::new(1 << 20, 64 << 10);
        let folder = |i: usize| dir.path().join(i.to_string());
        for i in 0..4 {
            fs::create_dir(folder(i)).unwrap();
            let mut log = Log::new(folder(i), OutputFd::Out);
            keep.append(&mut log, &[i as u8; 32 << 10]).unwrap();
        }
        assert_eq!(all(&folder(3), 0).len(), 32 << 10);
        assert!(starts(&folder(0), OutputFd::Out).unwrap().is_empty());
    }

    #[test]
    fn logs_that_are_closed_before_a_segment_is_full_count_and_go_too() {
        let dir = tempfile::tempdir().unwrap();
        let mut keep = Keep::new(1 << 20, 64 << 10);
        for i in 0..100 {
            let folder = dir.path().join(i.to_string());
            fs::create_dir(&folder).unwrap();
            let mut log = Log::new(folder, OutputFd::Out);
            keep.append(&mut log, &[7; 4000]).unwrap();
            keep.close(&mut log);
        }
        let kept =
            (0..100).map(|i| starts(&dir.path().join(i.to_string()), OutputFd::Out).unwrap().len()).sum::<usize>();
        assert!((12..=17).contains(&kept), "{kept} logs of 4,000 bytes are kept under a bound of 64 KiB");
    }

    #[test]
    fn a_log_without_output_is_empty_at_its_start() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Reader::new(dir.path().to_path_buf(), OutputFd::Err).read(0, 10).unwrap().is_empty());
    }
}
