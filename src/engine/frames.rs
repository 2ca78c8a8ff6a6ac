//! Frames over a Unix socket, and descriptors beside them: how an engine, a keeper and a jail's first process talk.
//!
//! A frame is two little-endian `u32` lengths (JSON, raw bytes), the JSON, the raw bytes.

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::{
    io::Errno,
    net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
        recvmsg, sendmsg,
    },
};
use serde::{Serialize, de::DeserializeOwned};

/// Longest JSON part: the kernel's own bound on argv and environment together is 2 MiB by default, and escaping may
/// double it.
pub const JSON_MAX: usize = 8 << 20;

/// Longest raw part: what a keeper holds in memory for one pending write to a standard input.
pub const DATA_MAX: usize = 256 << 10;

/// Most descriptors in one answer: the kernel's SCM_MAX_FD.
pub const FDS_MAX: usize = 253;

/// Bytes of a frame.
pub fn frame<T: Serialize>(value: &T, data: &[u8]) -> io::Result<Vec<u8>> {
    let json = serde_json::to_vec(value)?;
    if json.len() > JSON_MAX || data.len() > DATA_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "message too long for a keeper"));
    }
    let mut out = Vec::with_capacity(8 + json.len() + data.len());
    for part in [json.len(), data.len()] {
        out.extend_from_slice(&u32::try_from(part).unwrap_or(u32::MAX).to_le_bytes());
    }
    out.extend_from_slice(&json);
    out.extend_from_slice(data);
    Ok(out)
}

/// Lengths of the JSON and raw parts, from a frame's first eight bytes; an error when either is beyond its bound.
fn lengths(head: [u8; 8]) -> io::Result<(usize, usize)> {
    let [a, b, c, d, e, f, g, h] = head;
    let (json, data) = (u32::from_le_bytes([a, b, c, d]) as usize, u32::from_le_bytes([e, f, g, h]) as usize);
    if json > JSON_MAX || data > DATA_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "frame too long"));
    }
    Ok((json, data))
}

/// Takes one whole frame off the front of `buffer`, if it is there.
pub fn take<T: DeserializeOwned>(buffer: &mut Vec<u8>) -> io::Result<Option<(T, Vec<u8>)>> {
    let Some(head) = buffer.first_chunk::<8>() else { return Ok(None) };
    let (json, data) = lengths(*head)?;
    if buffer.len() < 8 + json + data {
        return Ok(None);
    }
    let value = serde_json::from_slice(&buffer[8..8 + json])?;
    let raw = buffer[8 + json..8 + json + data].to_vec();
    buffer.drain(..8 + json + data);
    Ok(Some((value, raw)))
}

/// Sends some of `bytes`, and all of `fds` with the first of them. Returns how many bytes went.
pub fn send(socket: impl AsFd, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FDS_MAX))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many descriptors in one message"));
    }
    loop {
        match sendmsg(&socket, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL) {
            Err(Errno::INTR) => {}
            sent => return Ok(sent?),
        }
    }
}

/// Sends all of `bytes` over a blocking socket.
pub fn send_all(socket: impl AsFd, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut at = send(&socket, bytes, fds)?;
    while at < bytes.len() {
        at += send(&socket, &bytes[at..], &[])?;
    }
    Ok(())
}

/// Receives what is there, appending; 0 at the end of the stream.
pub fn receive(socket: impl AsFd, buffer: &mut Vec<u8>, fds: &mut Vec<OwnedFd>) -> io::Result<usize> {
    let mut bytes = [0; 16 << 10];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FDS_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let got = loop {
        match recvmsg(&socket, &mut [IoSliceMut::new(&mut bytes)], &mut control, RecvFlags::CMSG_CLOEXEC) {
            Err(Errno::INTR) => {}
            got => break got?,
        }
    };
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            fds.extend(rights);
        }
    }
    buffer.extend_from_slice(&bytes[..got.bytes]);
    Ok(got.bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, serde::Deserialize)]
    struct Word(u32);

    #[test]
    fn a_frame_is_taken_only_when_whole_and_leaves_the_next() {
        let first = frame(&Word(7), b"raw").unwrap();
        let mut buffer = Vec::new();
        for byte in &first[..first.len() - 1] {
            buffer.push(*byte);
            assert!(take::<Word>(&mut buffer).unwrap().is_none());
        }
        buffer.push(first[first.len() - 1]);
        buffer.extend_from_slice(&[1, 2]);
        assert_eq!(take::<Word>(&mut buffer).unwrap(), Some((Word(7), b"raw".to_vec())));
        assert_eq!(buffer, [1, 2]);
    }

    #[test]
    fn a_length_beyond_the_bound_is_refused_before_anything_is_held() {
        assert!(take::<Word>(&mut vec![0xff; 8]).is_err());
    }
}
