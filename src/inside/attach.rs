//! `inside attach ID --from OFFSET`: output of a command from any offset, and the way for input, to and from the
//! server. As many as wanted, as often as wanted; none of them changes what another sees.
//!
//! Frames on standard output: `hello`, `fed`, `output…`, `taken…`, and at the end `exit` or `lost`. Frames on standard input
//! go to the shim as they are. The end of standard input is no message: the server closes it when it only listens.

use std::{
    fs,
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use bytes::BytesMut;

use super::{
    options::AttachOptions,
    spool::Reader,
    words::{Decoder, Frame, PROTOCOL},
};

/// Runs until the command has ended and everything was sent.
pub fn attach(options: &AttachOptions) -> io::Result<()> {
    let dir = options.folder();
    let out = Out::default();
    out.send(&[Frame::Hello { protocol: PROTOCOL, from: options.from }])?;
    let mut reader = Reader::new(&dir, options.from);
    match UnixStream::connect(dir.join("sock")) {
        Ok(mut shim) => {
            forward_input(shim.try_clone()?);
            follow(&mut shim, &mut reader, &out)?;
        }
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            if !dir.exists() {
                let reason = "there is no such command in this sandbox".to_owned();
                return out.send(&[Frame::Lost { reason }]);
            }
        }
        Err(e) => return Err(e),
    }
    // The shim is gone: what it left is all there will be.
    pass_output(&mut reader, &out)?;
    out.send(&[last_word(&dir)])
}

/// Standard output, shared by output and acknowledgements. A frame is written whole.
#[derive(Clone, Default)]
struct Out(Arc<Mutex<()>>);

impl Out {
    fn send(&self, frames: &[Frame]) -> io::Result<()> {
        let mut buffer = BytesMut::new();
        frames.iter().for_each(|f| f.encode(&mut buffer));
        let _whole = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = io::stdout();
        out.write_all(&buffer)?;
        out.flush()
    }
}

/// Passes output on as the shim says that there is more, until the shim ends.
fn follow(shim: &mut UnixStream, reader: &mut Reader, out: &Out) -> io::Result<()> {
    let mut decoder = Decoder::default();
    let mut buffer = [0; 4096];
    loop {
        pass_output(reader, out)?;
        match shim.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => decoder.push(&buffer[..n]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) if e.kind() == io::ErrorKind::ConnectionReset => return Ok(()),
            Err(e) => return Err(e),
        }
        while let Some(frame) = decoder.next_frame().map_err(io::Error::other)? {
            if let Frame::Taken { .. } | Frame::Fed { .. } = frame {
                out.send(&[frame])?;
            }
        }
    }
}

fn pass_output(reader: &mut Reader, out: &Out) -> io::Result<()> {
    while let Some(record) = reader.next_record()? {
        out.send(&[Frame::Output { stream: record.stream, offset: record.offset, bytes: record.bytes.into() }])?;
    }
    Ok(())
}

/// Copies frames from standard input to the shim, in a thread that ends with the process.
fn forward_input(mut shim: UnixStream) {
    thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        let mut input = io::stdin();
        while let Ok(n @ 1..) = input.read(&mut buffer) {
            if shim.write_all(&buffer[..n]).is_err() {
                return;
            }
        }
    });
}

/// How the command ended, as its shim left it.
fn last_word(dir: &Path) -> Frame {
    match fs::read_to_string(dir.join("exit")).ok().and_then(|text| text.trim().parse().ok()) {
        Some(code) => Frame::Exit { code },
        None => Frame::Lost { reason: "the process that kept this command's output was killed".to_owned() },
    }
}
