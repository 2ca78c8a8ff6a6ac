//! Which object holds what.
//!
//! ```text
//! {account}/{ts}/src/main.rs                    a file of the version ts, at its own path
//! {account}/{ts}/.sandbank-long/{sha256}        one whose key would be too long
//! {account}/.sandbank/{ts}.claim                first: this second is taken
//! {account}/.sandbank/{ts}.json.zst             last: the manifest; the version exists
//! ```
//!
//! A key says its path wherever S3 and other tools can bear it; the bytes that they can't are written `%XX`. No two
//! paths have one key. Nobody reads a path back from a key but for versions of other tools: the manifest has both.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use crate::{
    core::{AccountId, VersionId},
    inside::mover::path::{check_path, components},
};

/// S3's longest key, in bytes.
const MAX_KEY: usize = 1024;

/// The longest name in a key: tools that mirror a bucket to files can't have longer ones.
const MAX_SEGMENT: usize = 255;

/// What the first name of a file's key never begins with: these names are ours.
const OURS: &[u8] = b".sandbank";

const CLAIM: &str = ".claim";
const MANIFEST: &str = ".json.zst";

/// The keys of one account.
#[derive(Debug, Clone)]
pub struct Keys {
    root: String,
}

/// What an object below [`Keys::control`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// A claim.
    Claim(VersionId),
    /// A manifest, or the tombstone in its place.
    Manifest(VersionId),
}

impl Keys {
    /// Account names are folder names already ([`AccountId`]); the slash keeps `a` and `ab` apart.
    pub fn new(account: &AccountId) -> Self {
        Self { root: format!("{account}/") }
    }

    /// What all keys of the account begin with.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// What the keys of a version's files begin with.
    pub fn folder(&self, version: VersionId) -> String {
        format!("{}{version}/", self.root)
    }

    /// What the keys of claims and manifests begin with.
    pub fn control(&self) -> String {
        format!("{}.sandbank/", self.root)
    }

    /// The claim on a second.
    pub fn claim(&self, version: VersionId) -> String {
        format!("{}.sandbank/{version}{CLAIM}", self.root)
    }

    /// The manifest of a version.
    pub fn manifest(&self, version: VersionId) -> String {
        format!("{}.sandbank/{version}{MANIFEST}", self.root)
    }

    /// The object of a file in a version's own folder. The path is one of a tree.
    pub fn object(&self, version: VersionId, path: &[u8]) -> String {
        let mut key = self.folder(version);
        let start = key.len();
        let mut fits = true;
        for (i, name) in components(path).enumerate() {
            if i > 0 {
                key.push('/');
            }
            let at = key.len();
            let rest = match name.strip_prefix(b".") {
                Some(rest) if i == 0 && name.starts_with(OURS) => {
                    key.push_str("%2E");
                    rest
                }
                _ => name,
            };
            escape(rest, &mut key);
            fits &= key.len() - at <= MAX_SEGMENT;
        }
        if !fits || key.len() > MAX_KEY {
            key.truncate(start);
            key.push_str(".sandbank-long/");
            key.push_str(&hex::encode(Sha256::digest(path)));
        }
        key
    }

    /// What an object below [`Self::control`] is, by its key; `None` for what isn't ours.
    pub fn control_of(&self, key: &str) -> Option<Control> {
        let name = key.strip_prefix(&self.root)?.strip_prefix(".sandbank/")?;
        match name.strip_suffix(CLAIM) {
            Some(version) => version.parse().ok().map(Control::Claim),
            None => name.strip_suffix(MANIFEST)?.parse().ok().map(Control::Manifest),
        }
    }

    /// The version of a folder directly below the account's root, if its name is one.
    pub fn version_of(&self, folder: &str) -> Option<VersionId> {
        folder.strip_prefix(&self.root)?.strip_suffix('/')?.parse().ok()
    }

    /// The path of a file of a version that another tool made. `None` for what can't be one: a folder's marker, or a
    /// name that no file can have.
    pub fn legacy_path(&self, version: VersionId, key: &str) -> Option<Vec<u8>> {
        let path = key.strip_prefix(&self.folder(version))?.as_bytes();
        check_path(path).ok().map(|()| path.to_vec())
    }

    /// Whether a manifest of this account may say that a file lies there.
    pub fn may_hold(&self, key: &str) -> bool {
        key.len() <= MAX_KEY && key.starts_with(&self.root) && !key.starts_with(&self.control())
    }
}

/// Writes a name as it can stand in a key. XML can't have U+FFFE and U+FFFF, and S3 lists in XML.
fn escape(name: &[u8], key: &mut String) {
    for chunk in name.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() || matches!(c, '%' | '\u{fffe}' | '\u{ffff}') {
                let mut bytes = [0; 4];
                c.encode_utf8(&mut bytes).bytes().for_each(|b| hexed(b, key));
            } else {
                key.push(c);
            }
        }
        chunk.invalid().iter().for_each(|b| hexed(*b, key));
    }
}

fn hexed(byte: u8, key: &mut String) {
    // Writing to a String can't fail.
    let _ = write!(key, "%{byte:02X}");
}

#[cfg(test)]
mod tests {
    use percent_encoding::percent_decode_str;
    use proptest::prelude::*;

    use super::*;

    const V: VersionId = VersionId(1_700_000_000);

    fn keys() -> Keys {
        Keys::new(&AccountId::new("heron").unwrap())
    }

    fn object(path: &[u8]) -> String {
        check_path(path).unwrap();
        keys().object(V, path)
    }

    #[rstest::rstest]
    #[case(b"src/main.rs", "src/main.rs")]
    #[case("ä/日本 +&#?.txt".as_bytes(), "ä/日本 +&#?.txt")]
    #[case(b"100%", "100%25")]
    #[case(b"a\nb", "a%0Ab")]
    #[case(b"a\xffb", "a%FFb")]
    #[case("\u{85}".as_bytes(), "%C2%85")]
    #[case(b".sandbank-long/x", "%2Esandbank-long/x")]
    #[case(b".sandbankish", "%2Esandbankish")]
    #[case(b"a/.sandbank", "a/.sandbank")]
    fn a_key_says_its_path(#[case] path: &[u8], #[case] key: &str) {
        assert_eq!(object(path), format!("heron/1700000000/{key}"));
    }

    #[test]
    fn what_would_be_too_long_is_named_by_its_digest() {
        let deep = vec!["x".repeat(200); 6].join("/");
        let wide = [0xff_u8; 255];
        for path in [deep.as_bytes(), &wide] {
            let key = object(path);
            assert_eq!(key, format!("heron/1700000000/.sandbank-long/{}", hex::encode(Sha256::digest(path))));
        }
    }

    #[test]
    fn only_our_own_names_are_control_objects() {
        let keys = keys();
        assert_eq!(keys.control_of(&keys.claim(V)), Some(Control::Claim(V)));
        assert_eq!(keys.control_of(&keys.manifest(V)), Some(Control::Manifest(V)));
        for other in ["heron/.sandbank/x.claim", "heron/.sandbank/007.claim", "heron/.sandbank/1.session/a", "hero"] {
            assert_eq!(keys.control_of(other), None, "{other}");
        }
        assert_eq!(keys.version_of("heron/1700000000/"), Some(V));
        assert_eq!(keys.version_of("heron/01/"), None);
        assert_eq!(keys.version_of("heron2/1700000000/"), None);
    }

    #[test]
    fn a_manifest_can_not_name_what_belongs_to_others() {
        assert!(keys().may_hold("heron/5/a"));
        for key in ["heron2/5/a", "other/5/a", "heron/.sandbank/5.json.zst", "a"] {
            assert!(!keys().may_hold(key), "{key}");
        }
    }

    fn path() -> impl Strategy<Value = Vec<u8>> {
        let name = prop_oneof![
            prop::collection::vec(any::<u8>(), 1..12),
            "[a%.2E]{1,6}".prop_map(String::into_bytes),
            "\\.sandbank[-a-z]{0,3}".prop_map(String::into_bytes),
            prop::collection::vec(any::<u8>(), 100..255),
        ];
        prop::collection::vec(name, 1..7).prop_map(|names| names.join(&b'/'))
    }

    proptest! {
        #[test]
        fn a_key_is_one_that_s3_and_xml_take(path in path()) {
            prop_assume!(check_path(&path).is_ok());
            let key = keys().object(V, &path);
            prop_assert!(key.len() <= MAX_KEY);
            prop_assert!(key.split('/').all(|s| !s.is_empty() && s.len() <= MAX_SEGMENT && s != "." && s != ".."));
            let unfit = |c: char| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}');
            prop_assert!(!key.contains(unfit), "{key:?}");
            prop_assert!(keys().may_hold(&key));
        }

        #[test]
        fn no_two_paths_have_one_key(path in path()) {
            prop_assume!(check_path(&path).is_ok());
            let key = keys().object(V, &path);
            let name = key.strip_prefix("heron/1700000000/").unwrap();
            // Either the path can be read back from the key, or the key is a digest that no other kind of key looks like.
            if let Some(digest) = name.strip_prefix(".sandbank-long/") {
                prop_assert_eq!(digest, hex::encode(Sha256::digest(&path)));
            } else {
                prop_assert_eq!(percent_decode_str(name).collect::<Vec<_>>(), path);
            }
        }
    }
}
