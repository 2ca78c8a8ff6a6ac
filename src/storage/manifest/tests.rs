use std::collections::BTreeMap;

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::{
    core::{AccountId, VersionId},
    inside::mover::{
        path::check_path,
        words::{Content, Digest, Entry, Facts, Kind as Node, part_count},
    },
};

fn keys() -> Keys {
    Keys::new(&AccountId::new("heron").unwrap())
}

fn head(records: &[Record]) -> Head {
    let head = Head::of(VersionId(5), AccountId::new("heron").unwrap(), Uuid::nil(), records);
    Head { note: "before refactor".into(), ..head }
}

fn read(bytes: Bytes) -> Result<(Head, Vec<Record>), BadManifest> {
    let mut manifest = Manifest::decode(bytes, keys())?;
    let records = manifest.by_ref().collect::<Result<_, _>>()?;
    Ok((manifest.head, records))
}

/// A manifest whose second frame holds these lines, and whose head counts them so.
fn forged(lines: &[&str], files: u64, bytes: u64) -> Bytes {
    let head = Head { entries: lines.len() as u64, files, bytes, ..head(&[]) };
    let mut out = head.encode().unwrap();
    let text = lines.iter().map(|l| format!("{l}\n")).collect::<String>();
    out.extend(zstd::bulk::compress(text.as_bytes(), 3).unwrap());
    out.into()
}

fn line(rest: &str) -> String {
    format!(r#"{{"mode":420,"uid":0,"gid":0,"mtime_ns":0,{rest}}}"#)
}

const NO_DIGEST: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn refused(lines: &[String], files: u64, bytes: u64) -> String {
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    read(forged(&lines, files, bytes)).unwrap_err().to_string()
}

#[rstest::rstest]
#[case("../x", "climbs")]
#[case("/x", "absolute")]
#[case("a/../x", "climbs")]
#[case(".sandbank/restore.json", "reserved")]
fn a_path_that_leaves_the_workspace_is_refused(#[case] path: &str, #[case] why: &str) {
    let said = refused(&[line(&format!(r#""type":"folder","path":"{path}""#))], 0, 0);
    assert!(said.contains(why), "{said}");
}

#[test]
fn what_can_not_be_a_tree_is_refused() {
    let folder = |path: &str| line(&format!(r#""type":"folder","path":"{path}""#));
    let link = |path: &str| line(&format!(r#""type":"link","path":"{path}","target":"/etc""#));
    let file = |rest: &str| line(&format!(r#""type":"file","path":"f","sha256":"{NO_DIGEST}",{rest}"#));
    for (lines, files, bytes, why) in [
        (vec![folder("a"), folder("a")], 0, 0, "comes twice"),
        (vec![folder("b"), folder("a")], 0, 0, "out of order"),
        (vec![link("a"), folder("a/b")], 0, 0, "isn't in the tree"),
        (vec![folder("a/b")], 0, 0, "isn't in the tree"),
        (vec![file(r#""size":0"#)], 1, 0, "not one object"),
        (vec![file(r#""size":0,"key":"other/5/f""#)], 1, 0, "somebody else"),
        (vec![file(r#""size":99999999,"version":5"#)], 1, 99_999_999, "don't fit its size"),
        (vec![file(r#""size":7,"version":5"#)], 1, 8, "head counts"),
        (vec![file(r#""version":5"#)], 1, 0, "fields"),
        (vec![line(r#""type":"link","path":"a""#)], 0, 0, "fields"),
        (vec![line(r#""type":"folder","path":"a","path64":"YQ==""#)], 0, 0, "twice"),
        (vec![line(r#""type":"socket","path":"a""#)], 0, 0, "no entry"),
        (vec!["{}".into()], 0, 0, "no entry"),
        (vec!["x".repeat(2 << 20)], 0, 0, "too long"),
    ] {
        let said = refused(&lines, files, bytes);
        assert!(said.contains(why), "{said} should tell {why}");
    }
}

#[test]
fn more_or_fewer_lines_than_the_head_counts_are_refused() {
    let mut out = Head { entries: 0, ..head(&[]) }.encode().unwrap();
    let folder = line(r#""type":"folder","path":"a""#) + "\n";
    out.extend(zstd::bulk::compress(folder.as_bytes(), 3).unwrap());
    assert!(read(out.into()).unwrap_err().to_string().contains("more than its head counts"));
    let whole = forged(&[folder.trim()], 0, 0);
    assert!(read(whole.slice(..whole.len() - 4)).is_err(), "a cut manifest is no manifest");
    let mut fewer = Head { entries: 3, ..head(&[]) }.encode().unwrap();
    fewer.extend(zstd::bulk::compress(folder.as_bytes(), 3).unwrap());
    assert!(read(fewer.into()).unwrap_err().to_string().contains("head counts"));
}

#[test]
fn a_later_format_says_upgrade() {
    for (format, features, what) in [(2, vec![], "format 2"), (1, vec!["delta".to_owned()], "feature delta")] {
        let bytes = Head { format, features, ..head(&[]) }.encode().unwrap();
        assert_eq!(decode_head(&bytes), Err(BadManifest::Newer(what.into())));
    }
}

#[test]
fn a_head_that_unpacks_to_much_is_refused() {
    let bomb = zstd::bulk::compress(&vec![b' '; 64 << 20], 19).unwrap();
    assert!(bomb.len() < 16 << 10);
    assert!(decode_head(&bomb).is_err());
}

#[test]
fn the_longest_head_fits_what_a_list_reads() {
    let note: String = (0..MAX_NOTE).filter_map(|i| char::from_u32(0x21 + (i as u32 * 7919) % 90)).collect();
    let note: String = note.chars().filter(|c| !"\"\\".contains(*c)).take(MAX_NOTE - 2).collect();
    Head::check_note(&note).unwrap();
    let full = Head {
        account: AccountId::new("a".repeat(57)).unwrap(),
        parent: Some(VersionId(u64::MAX)),
        sandbox: Some(format!("sb-{}", "A".repeat(64)).parse().unwrap()),
        version: VersionId(u64::MAX),
        entries: MAX_ENTRIES,
        files: MAX_ENTRIES,
        bytes: u64::MAX,
        features: vec![LEFT_OUT.to_owned()],
        left_out: MAX_ENTRIES,
        root: Some(Facts { mode: 0o7777, uid: u32::MAX, gid: u32::MAX, mtime_ns: i64::MIN }),
        sent: u64::MAX,
        took_ms: u64::MAX,
        note,
        ..head(&[])
    };
    let bytes = full.encode().unwrap();
    assert!(bytes.len() as u64 <= HEAD_READ);
    assert_eq!(decode_head(&bytes).unwrap(), full);
    assert!(Head::check_note(&"\u{1}".repeat(MAX_NOTE / 2)).is_err());
}

pub(crate) fn tree() -> impl Strategy<Value = Vec<Record>> {
    let name = prop_oneof![
        "[a-c.%]{1,2}".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 1..6),
        "\\.sandbank[a-b]?".prop_map(String::into_bytes),
    ];
    let path = prop::collection::vec(name, 1..4).prop_map(|names| names.join(&b'/'));
    let file = |(d, size): ([u8; 32], u64)| {
        Node::File(Content { size, digests: vec![Digest(d); part_count(size) as usize], inode: None })
    };
    let node = prop_oneof![
        Just(Node::Folder),
        Just(Node::LeftOut),
        (any::<[u8; 32]>(), 0u64..=16 << 20).prop_map(file),
        (any::<[u8; 32]>(), 0u64..200 << 20).prop_map(file),
        prop::collection::vec(1u8..=255, 1..9).prop_map(|target| Node::Link { target }),
    ];
    let meta = (0u32..=0o7777, any::<u32>(), any::<u32>(), any::<i64>());
    prop::collection::vec((path, node, meta, any::<bool>()), 0..12).prop_map(|wanted| {
        let mut tree: BTreeMap<Vec<Vec<u8>>, Record> = BTreeMap::new();
        for (path, node, (mode, uid, gid, mtime_ns), own) in wanted {
            if check_path(&path).is_err() {
                continue;
            }
            let record = |path: Vec<u8>, kind: Node| Record {
                holder: matches!(kind, Node::File(_)).then(|| match own {
                    true => Holder::Version(VersionId(5)),
                    false => Holder::Key("heron/4/x".into()),
                }),
                etag: String::new(),
                entry: Entry { path, kind, mode, uid, gid, mtime_ns },
            };
            let names: Vec<Vec<u8>> = path.split(|b| *b == b'/').map(<[u8]>::to_vec).collect();
            for i in 1..names.len() {
                // A folder above wins over what was there.
                let above = names[..i].join(&b'/');
                tree.insert(names[..i].to_vec(), record(above, Node::Folder));
            }
            let has_children = tree.keys().any(|other| other.len() > names.len() && other.starts_with(&names));
            if !has_children {
                tree.insert(names, record(path, node));
            }
        }
        tree.into_values().collect()
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read(records in tree()) {
        let head = head(&records);
        let bytes = encode(&head, &records).unwrap();
        prop_assert_eq!(&decode_head(&bytes[..bytes.len().min(HEAD_READ as usize)]).unwrap(), &head);
        let (read_head, read_records) = read(bytes).unwrap();
        prop_assert_eq!(read_head, head);
        prop_assert_eq!(read_records, records);
    }

    #[test]
    fn hostile_bytes_are_refused_and_never_panic(records in tree(), at in any::<prop::sample::Index>(), byte in any::<u8>(), junk in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(junk.into());
        let mut bytes = encode(&head(&records), &records).unwrap().to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = read(bytes.into());
    }
}
