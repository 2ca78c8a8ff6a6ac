use proptest::prelude::*;

use super::*;
use crate::inside::mover::words::PART;

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..80)
}

fn text() -> impl Strategy<Value = String> {
    "\\PC{0,40}"
}

fn entry() -> impl Strategy<Value = Entry> {
    let file = (0..3 * PART, any::<[u8; 32]>(), any::<Option<(u64, u64)>>()).prop_map(|(size, digest, inode)| {
        let digests = (0..part_count(size)).map(|_| Digest(digest)).collect();
        Kind::File(Content { size, digests, inode: inode.map(|(device, inode)| Inode { device, inode }) })
    });
    let kind =
        prop_oneof![file, Just(Kind::Folder), Just(Kind::LeftOut), bytes().prop_map(|target| Kind::Link { target })];
    (bytes(), kind, 0u32..=0o7777, any::<(u32, u32, i64)>())
        .prop_map(|(path, kind, mode, (uid, gid, mtime_ns))| Entry { path, kind, mode, uid, gid, mtime_ns })
}

fn request() -> impl Strategy<Value = Request> {
    (text(), prop::collection::vec((text(), text()), 0..4)).prop_map(|(url, headers)| Request { url, headers })
}

fn totals() -> impl Strategy<Value = Totals> {
    any::<(u64, u64, u64, u64, u64)>().prop_map(|(files, added, changed, deleted, bytes)| Totals {
        files,
        added,
        changed,
        deleted,
        bytes,
    })
}

fn from_service() -> impl Strategy<Value = Frame> {
    prop_oneof![
        (any::<(u32, u32)>(), bytes()).prop_map(|((protocol, in_flight), root)| Frame::Hello {
            protocol,
            in_flight,
            root
        }),
        Just(Frame::Walk),
        (any::<(u64, u32, u64, [u8; 32])>(), bytes(), request()).prop_map(
            |((ticket, part, size, digest), path, request)| Frame::Put {
                ticket,
                path,
                part,
                size,
                digest: Digest(digest),
                request
            }
        ),
        any::<(u64, Option<u64>, bool, bool)>().prop_map(|(target, before, dry, replace)| Frame::Restore {
            target,
            before,
            dry,
            replace
        }),
        (any::<(u64, u64, u32)>(), request()).prop_map(|((ticket, entry, part), request)| Frame::Get {
            ticket,
            entry,
            part,
            request
        }),
        Just(Frame::Sync),
        Just(Frame::Status),
        Just(Frame::Discard),
        any::<[u8; 32]>().prop_map(|digest| Frame::Only(Digest(digest))),
        entry().prop_map(Frame::Entry),
        any::<u64>().prop_map(|entries| Frame::EndTree { entries }),
        (0u32..=0o7777, any::<(u32, u32, i64)>()).prop_map(|(mode, (uid, gid, mtime_ns))| Frame::Root(Facts {
            mode,
            uid,
            gid,
            mtime_ns
        })),
    ]
}

fn from_mover() -> impl Strategy<Value = Frame> {
    let what = prop_oneof![Just(Special::Fifo), Just(Special::Socket), Just(Special::Device), Just(Special::Mount)];
    let change = prop_oneof![Just(Change::Added), Just(Change::Changed), Just(Change::Deleted)];
    let unfinished = any::<(u64, Option<u64>, bool)>().prop_map(|(target, before, apply)| Unfinished {
        target,
        before,
        phase: if apply { Phase::Apply } else { Phase::Stage },
    });
    prop_oneof![
        any::<u32>().prop_map(|protocol| Frame::Ready { protocol }),
        (bytes(), what).prop_map(|(path, what)| Frame::Skipped { path, what }),
        (bytes(), text()).prop_map(|(path, reason)| Frame::Problem { path, reason }),
        (any::<u64>(), text()).prop_map(|(ticket, etag)| Frame::Done { ticket, etag }),
        (any::<u64>(), prop::option::of(entry())).prop_map(|(ticket, entry)| Frame::Changed { ticket, entry }),
        (any::<(u64, bool)>(), text()).prop_map(|((ticket, again), reason)| Frame::Failed { ticket, again, reason }),
        (change, any::<(bool, u64)>(), bytes()).prop_map(|(change, (folder, size), path)| Frame::Difference {
            change,
            folder,
            size,
            path
        }),
        any::<[u8; 32]>().prop_map(|digest| Frame::State(Digest(digest))),
        totals().prop_map(Frame::Compared),
        any::<(u64, u32)>().prop_map(|(entry, part)| Frame::Want { entry, part }),
        any::<(u64, u64, u64)>().prop_map(|(done, total, bytes)| Frame::Progress { done, total, bytes }),
        totals().prop_map(Frame::Restored),
        prop::option::of(unfinished).prop_map(|unfinished| Frame::Journal { unfinished }),
        Just(Frame::Synced),
        any::<u64>().prop_map(|ticket| Frame::Exists { ticket }),
        text().prop_map(|reason| Frame::Stopped { reason }),
    ]
}

proptest! {
    #[test]
    fn frames_come_back_however_the_bytes_are_cut(
        frames in prop::collection::vec(prop_oneof![from_service(), from_mover()], 0..8),
        cut in 1usize..40,
    ) {
        let mut bytes = BytesMut::new();
        frames.iter().for_each(|f| f.encode(&mut bytes));
        let (mut decoder, mut got) = (Decoder::default(), Vec::new());
        for chunk in bytes.chunks(cut) {
            decoder.push(chunk);
            while let Some(frame) = decoder.next_frame().unwrap() {
                got.push(frame);
            }
        }
        prop_assert_eq!(got, frames);
    }

    #[test]
    fn hostile_bodies_are_refused_and_never_panic(kind in 0u8..50, body in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut decoder = Decoder::default();
        let length = u32::try_from(body.len() + 1).unwrap();
        decoder.push(&length.to_be_bytes());
        decoder.push(&[kind]);
        decoder.push(&body);
        while let Ok(Some(_)) = decoder.next_frame() {}
    }

    /// What is read is what would be written: no two spellings of one frame, no bytes that are passed over.
    #[test]
    fn a_damaged_frame_is_refused_or_says_what_it_holds(
        frame in prop_oneof![from_service(), from_mover()], at in any::<prop::sample::Index>(), to in any::<u8>(),
    ) {
        let mut bytes = BytesMut::new();
        frame.encode(&mut bytes);
        let at = at.index(bytes.len());
        bytes[at] = to;
        let mut decoder = Decoder::default();
        decoder.push(&bytes);
        if let Ok(Some(frame)) = decoder.next_frame() {
            let mut again = BytesMut::new();
            frame.encode(&mut again);
            prop_assert!(bytes.starts_with(&again));
        }
    }
}

#[test]
fn claims_allocate_nothing() {
    let mut decoder = Decoder::default();
    decoder.push(&[0xff, 0xff, 0xff, 0xff, 2]);
    assert_eq!(decoder.next_frame(), Err(BadFrame::TooLong(u32::MAX as usize)));

    // An entry that claims a file of 2^64-1 bytes, and so 8,192 digests, but has none.
    let mut decoder = Decoder::default();
    let mut body = vec![20, 0, 0, 0, 1, b'a', 0];
    body.extend([0xff; 8]);
    decoder.push(&u32::try_from(body.len()).unwrap().to_be_bytes());
    decoder.push(&body);
    assert_eq!(decoder.next_frame(), Err(BadFrame::Body(20)));
}

#[test]
fn the_largest_entry_fits_in_a_frame() {
    use crate::inside::mover::words::MAX_PARTS;
    let size = PART * MAX_PARTS;
    let digests = vec![Digest([7; 32]); usize::try_from(MAX_PARTS).unwrap()];
    let entry = Entry {
        path: vec![b'a'; MAX_PATH],
        kind: Kind::File(Content { size, digests, inode: None }),
        mode: 0o7777,
        uid: 0,
        gid: 0,
        mtime_ns: 0,
    };
    let mut bytes = BytesMut::new();
    Frame::Entry(entry.clone()).encode(&mut bytes);
    let mut decoder = Decoder::default();
    decoder.push(&bytes);
    assert_eq!(decoder.next_frame(), Ok(Some(Frame::Entry(entry))));
}
