//! The mover's words as bytes. Numbers are big-endian, byte strings have four bytes of length before them. The other
//! side may be hostile: nothing is allocated by what a frame claims, and a body must be used up exactly.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::words::{
    Change, Content, Digest, Entry, Facts, Frame, Inode, Kind, MAX_FRAME, MAX_PATH, Phase, Request, Special, Totals,
    Unfinished, part_count,
};
pub use crate::inside::frames::BadFrame;
use crate::inside::frames::{self, Word};

/// Longest reason or ETag that is sent; longer ones are cut.
const MAX_TEXT: usize = 1_000;

impl Frame {
    /// Appends the frame to a buffer.
    pub fn encode(&self, out: &mut BytesMut) {
        frames::encode(self, out);
    }
}

impl Word for Frame {
    const MAX: usize = MAX_FRAME;

    /// Kinds below 20 come from the service, those above 30 from the mover, the others from both.
    fn put(&self, out: &mut BytesMut) {
        match self {
            Self::Hello { protocol, in_flight, root } => {
                out.put_u8(1);
                out.put_u32(*protocol);
                out.put_u32(*in_flight);
                put_bytes(out, root);
            }
            Self::Walk => out.put_u8(2),
            Self::Put { ticket, path, part, size, digest, request } => {
                out.put_u8(3);
                out.put_u64(*ticket);
                put_bytes(out, path);
                out.put_u32(*part);
                out.put_u64(*size);
                out.put_slice(&digest.0);
                put_request(out, request);
            }
            Self::Restore { target, before, dry, replace } => {
                out.put_u8(4);
                out.put_u64(*target);
                put_option(out, before.as_ref(), |out, before| out.put_u64(*before));
                out.put_u8(u8::from(*dry));
                out.put_u8(u8::from(*replace));
            }
            Self::Get { ticket, entry, part, request } => {
                out.put_u8(5);
                out.put_u64(*ticket);
                out.put_u64(*entry);
                out.put_u32(*part);
                put_request(out, request);
            }
            Self::Sync => out.put_u8(6),
            Self::Status => out.put_u8(7),
            Self::Discard => out.put_u8(8),
            Self::Only(digest) => {
                out.put_u8(9);
                out.put_slice(&digest.0);
            }
            Self::Entry(entry) => {
                out.put_u8(20);
                put_entry(out, entry);
            }
            Self::EndTree { entries } => {
                out.put_u8(21);
                out.put_u64(*entries);
            }
            Self::Root(facts) => {
                out.put_u8(22);
                out.put_u32(facts.mode);
                out.put_u32(facts.uid);
                out.put_u32(facts.gid);
                out.put_i64(facts.mtime_ns);
            }
            Self::Ready { protocol } => {
                out.put_u8(30);
                out.put_u32(*protocol);
            }
            Self::Skipped { path, what } => {
                out.put_u8(31);
                put_bytes(out, path);
                out.put_u8(*what as u8);
            }
            Self::Problem { path, reason } => {
                out.put_u8(32);
                put_bytes(out, path);
                put_text(out, reason);
            }
            Self::Done { ticket, etag } => {
                out.put_u8(33);
                out.put_u64(*ticket);
                put_text(out, etag);
            }
            Self::Changed { ticket, entry } => {
                out.put_u8(34);
                out.put_u64(*ticket);
                put_option(out, entry.as_ref(), put_entry);
            }
            Self::Failed { ticket, again, reason } => {
                out.put_u8(35);
                out.put_u64(*ticket);
                out.put_u8(u8::from(*again));
                put_text(out, reason);
            }
            Self::Difference { change, folder, size, path } => {
                out.put_u8(36);
                out.put_u8(*change as u8);
                out.put_u8(u8::from(*folder));
                out.put_u64(*size);
                put_bytes(out, path);
            }
            Self::Compared(totals) => {
                out.put_u8(37);
                put_totals(out, totals);
            }
            Self::Want { entry, part } => {
                out.put_u8(38);
                out.put_u64(*entry);
                out.put_u32(*part);
            }
            Self::Progress { done, total, bytes } => {
                out.put_u8(39);
                [done, total, bytes].into_iter().for_each(|n| out.put_u64(*n));
            }
            Self::Restored(totals) => {
                out.put_u8(40);
                put_totals(out, totals);
            }
            Self::Journal { unfinished } => {
                out.put_u8(41);
                put_option(out, unfinished.as_ref(), |out, u| {
                    out.put_u64(u.target);
                    put_option(out, u.before.as_ref(), |out, before| out.put_u64(*before));
                    out.put_u8(u.phase as u8);
                });
            }
            Self::Synced => out.put_u8(42),
            Self::Stopped { reason } => {
                out.put_u8(43);
                put_text(out, reason);
            }
            Self::Exists { ticket } => {
                out.put_u8(44);
                out.put_u64(*ticket);
            }
            Self::State(digest) => {
                out.put_u8(45);
                out.put_slice(&digest.0);
            }
        }
    }

    fn read(body: Bytes) -> Result<Self, BadFrame> {
        let mut body = Body(body);
        let kind = body.u8().ok_or(BadFrame::Body(0))?;
        if !matches!(kind, 1..=9 | 20..=22 | 30..=45) {
            return Err(BadFrame::Kind(kind));
        }
        let frame = body.frame(kind).ok_or(BadFrame::Body(kind))?;
        if body.0.is_empty() { Ok(frame) } else { Err(BadFrame::Body(kind)) }
    }
}

/// The rest of a body. `None` is an end that came too early, or a value that can't be.
struct Body(Bytes);

impl Body {
    fn frame(&mut self, kind: u8) -> Option<Frame> {
        Some(match kind {
            1 => Frame::Hello { protocol: self.u32()?, in_flight: self.u32()?, root: self.path()? },
            2 => Frame::Walk,
            3 => Frame::Put {
                ticket: self.u64()?,
                path: self.path()?,
                part: self.u32()?,
                size: self.u64()?,
                digest: self.digest()?,
                request: self.request()?,
            },
            4 => Frame::Restore {
                target: self.u64()?,
                before: self.option(Self::u64)?,
                dry: self.bool()?,
                replace: self.bool()?,
            },
            5 => Frame::Get { ticket: self.u64()?, entry: self.u64()?, part: self.u32()?, request: self.request()? },
            6 => Frame::Sync,
            7 => Frame::Status,
            8 => Frame::Discard,
            9 => Frame::Only(self.digest()?),
            20 => Frame::Entry(self.entry()?),
            21 => Frame::EndTree { entries: self.u64()? },
            22 => Frame::Root(Facts {
                mode: self.mode()?,
                uid: self.u32()?,
                gid: self.u32()?,
                mtime_ns: self.0.try_get_i64().ok()?,
            }),
            30 => Frame::Ready { protocol: self.u32()? },
            31 => Frame::Skipped { path: self.path()?, what: self.special()? },
            32 => Frame::Problem { path: self.path()?, reason: self.text()? },
            33 => Frame::Done { ticket: self.u64()?, etag: self.text()? },
            34 => Frame::Changed { ticket: self.u64()?, entry: self.option(Self::entry)? },
            35 => Frame::Failed { ticket: self.u64()?, again: self.bool()?, reason: self.text()? },
            36 => Frame::Difference {
                change: self.change()?,
                folder: self.bool()?,
                size: self.u64()?,
                path: self.path()?,
            },
            37 => Frame::Compared(self.totals()?),
            38 => Frame::Want { entry: self.u64()?, part: self.u32()? },
            39 => Frame::Progress { done: self.u64()?, total: self.u64()?, bytes: self.u64()? },
            40 => Frame::Restored(self.totals()?),
            41 => Frame::Journal { unfinished: self.option(Self::unfinished)? },
            42 => Frame::Synced,
            43 => Frame::Stopped { reason: self.text()? },
            44 => Frame::Exists { ticket: self.u64()? },
            45 => Frame::State(self.digest()?),
            _ => return None,
        })
    }

    fn entry(&mut self) -> Option<Entry> {
        let path = self.path()?;
        let kind = match self.u8()? {
            0 => Kind::File(self.content()?),
            1 => Kind::Folder,
            2 => Kind::Link { target: self.path()? },
            3 => Kind::LeftOut,
            _ => return None,
        };
        let mode = self.mode()?;
        Some(Entry { path, kind, mode, uid: self.u32()?, gid: self.u32()?, mtime_ns: self.0.try_get_i64().ok()? })
    }

    fn mode(&mut self) -> Option<u32> {
        self.u32().filter(|mode| *mode <= 0o7777)
    }

    fn content(&mut self) -> Option<Content> {
        let size = self.u64()?;
        let count = usize::try_from(part_count(size)).ok()?;
        if self.0.len() < count.checked_mul(32)? {
            return None;
        }
        let digests = (0..count).map(|_| self.digest()).collect::<Option<_>>()?;
        let inode = self.option(|body| Some(Inode { device: body.u64()?, inode: body.u64()? }))?;
        Some(Content { size, digests, inode })
    }

    fn request(&mut self) -> Option<Request> {
        let url = self.text()?;
        let count = self.u8()?;
        let headers = (0..count).map(|_| Some((self.text()?, self.text()?))).collect::<Option<_>>()?;
        Some(Request { url, headers })
    }

    fn totals(&mut self) -> Option<Totals> {
        Some(Totals {
            files: self.u64()?,
            added: self.u64()?,
            changed: self.u64()?,
            deleted: self.u64()?,
            bytes: self.u64()?,
        })
    }

    fn unfinished(&mut self) -> Option<Unfinished> {
        let (target, before) = (self.u64()?, self.option(Self::u64)?);
        let phase = [Phase::Stage, Phase::Apply].into_iter().nth(usize::from(self.u8()?))?;
        Some(Unfinished { target, before, phase })
    }

    fn special(&mut self) -> Option<Special> {
        [Special::Fifo, Special::Socket, Special::Device, Special::Mount].into_iter().nth(usize::from(self.u8()?))
    }

    fn change(&mut self) -> Option<Change> {
        [Change::Added, Change::Changed, Change::Deleted].into_iter().nth(usize::from(self.u8()?))
    }

    fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        if self.bool()? { read(self).map(Some) } else { Some(None) }
    }

    fn path(&mut self) -> Option<Vec<u8>> {
        self.bytes().filter(|path| path.len() <= MAX_PATH).map(|path| path.to_vec())
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?.to_vec()).ok()
    }

    fn bytes(&mut self) -> Option<Bytes> {
        let length = self.u32()? as usize;
        (length <= self.0.len()).then(|| self.0.split_to(length))
    }

    fn digest(&mut self) -> Option<Digest> {
        let mut digest = [0; 32];
        self.0.try_copy_to_slice(&mut digest).ok()?;
        Some(Digest(digest))
    }

    fn bool(&mut self) -> Option<bool> {
        match self.u8()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    fn u8(&mut self) -> Option<u8> {
        self.0.try_get_u8().ok()
    }

    fn u32(&mut self) -> Option<u32> {
        self.0.try_get_u32().ok()
    }

    fn u64(&mut self) -> Option<u64> {
        self.0.try_get_u64().ok()
    }
}

fn put_entry(out: &mut BytesMut, entry: &Entry) {
    put_bytes(out, &entry.path);
    match &entry.kind {
        Kind::File(content) => {
            out.put_u8(0);
            out.put_u64(content.size);
            content.digests.iter().for_each(|digest| out.put_slice(&digest.0));
            put_option(out, content.inode.as_ref(), |out, inode| {
                out.put_u64(inode.device);
                out.put_u64(inode.inode);
            });
        }
        Kind::Folder => out.put_u8(1),
        Kind::LeftOut => out.put_u8(3),
        Kind::Link { target } => {
            out.put_u8(2);
            put_bytes(out, target);
        }
    }
    out.put_u32(entry.mode);
    out.put_u32(entry.uid);
    out.put_u32(entry.gid);
    out.put_i64(entry.mtime_ns);
}

fn put_request(out: &mut BytesMut, request: &Request) {
    put_bytes(out, request.url.as_bytes());
    let count = u8::try_from(request.headers.len()).unwrap_or(u8::MAX);
    out.put_u8(count);
    for (name, value) in request.headers.iter().take(usize::from(count)) {
        put_bytes(out, name.as_bytes());
        put_bytes(out, value.as_bytes());
    }
}

fn put_totals(out: &mut BytesMut, totals: &Totals) {
    [totals.files, totals.added, totals.changed, totals.deleted, totals.bytes].into_iter().for_each(|n| out.put_u64(n));
}

fn put_option<T>(out: &mut BytesMut, value: Option<&T>, put: impl FnOnce(&mut BytesMut, &T)) {
    out.put_u8(u8::from(value.is_some()));
    if let Some(value) = value {
        put(out, value);
    }
}

fn put_text(out: &mut BytesMut, text: &str) {
    put_bytes(out, &text.as_bytes()[..text.floor_char_boundary(MAX_TEXT)]);
}

fn put_bytes(out: &mut BytesMut, bytes: &[u8]) {
    #[allow(clippy::cast_possible_truncation, reason = "a frame is at most MAX_FRAME long")]
    out.put_u32(bytes.len() as u32);
    out.put_slice(bytes);
}

/// Puts frames together from bytes.
pub type Decoder = frames::Decoder<Frame>;

#[cfg(test)]
#[path = "codec_tests.rs"]
mod tests;
