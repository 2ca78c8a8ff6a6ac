//! Names of sandboxes: made for those that the user didn't name, and found from what the user typed.

use std::collections::HashSet;

use jiff::Timestamp;
use uuid::Uuid;

use crate::{
    api::ApiError,
    core::{SandboxInfo, SandboxStatus, ids, text::sanitize_line},
};

/// Short, easy to type and to tell apart.
const BIRDS: [&str; 48] = [
    "avocet",
    "bittern",
    "bunting",
    "buzzard",
    "cormorant",
    "crane",
    "crossbill",
    "curlew",
    "dipper",
    "dotterel",
    "dunlin",
    "egret",
    "falcon",
    "fieldfare",
    "finch",
    "fulmar",
    "gannet",
    "godwit",
    "goldcrest",
    "goshawk",
    "grebe",
    "harrier",
    "hobby",
    "hoopoe",
    "ibis",
    "jackdaw",
    "kestrel",
    "kingfisher",
    "kittiwake",
    "lapwing",
    "linnet",
    "magpie",
    "martin",
    "merlin",
    "nightjar",
    "nuthatch",
    "oriole",
    "osprey",
    "petrel",
    "pipit",
    "plover",
    "puffin",
    "redstart",
    "sandpiper",
    "siskin",
    "tern",
    "wagtail",
    "whimbrel",
];

/// Checks a name that the user gave.
///
/// # Errors
/// What is wrong with it.
pub(super) fn check(name: &str) -> Result<(), ApiError> {
    // 64 is Modal's limit for a name.
    ids::name(name, 64).map_err(|e| ApiError::usage(format!("the sandbox's name {e}")))?;
    if name.starts_with("sb-") {
        return Err(ApiError::usage("the sandbox's name must not begin with sb-: ids do"));
    }
    Ok(())
}

/// A name that none of `taken` has. `seed` chooses, so that a creation that is done again gets the same one as long
/// as it is free.
pub(super) fn make(seed: Uuid, taken: &HashSet<String>) -> String {
    let start = usize::from(seed.as_bytes()[0]);
    let birds = (0..BIRDS.len()).map(|i| BIRDS[(start + i) % BIRDS.len()]);
    let free = |name: &String| !taken.contains(name);
    let numbered = (2u64..).map(|n| format!("{}-{n}", BIRDS[start % BIRDS.len()]));
    birds.map(str::to_owned).chain(numbered).find(free).unwrap_or_else(|| seed.to_string())
}

fn is_live(sandbox: &SandboxInfo) -> bool {
    matches!(sandbox.status, SandboxStatus::Pending | SandboxStatus::Running)
}

/// The sandbox that the user means: by id, by name, or by a prefix of either that fits one. Among those of the same
/// name the living one, else the newest; ended ones are looked at only when no living one fits.
///
/// # Errors
/// None fits, or several do; then they are named.
pub(super) fn resolve<'a>(sandboxes: &'a [SandboxInfo], wanted: &str) -> Result<&'a SandboxInfo, ApiError> {
    if let Some(found) = sandboxes.iter().find(|s| s.sandbox_id.as_str() == wanted) {
        return Ok(found);
    }
    let by_name = sandboxes.iter().filter(|s| s.name == wanted);
    if let Some(found) = by_name.max_by_key(|s| (is_live(s), s.created_at)) {
        return Ok(found);
    }
    for live in [true, false] {
        let fits = |s: &&SandboxInfo| {
            is_live(s) == live
                && !wanted.is_empty()
                && (s.name.starts_with(wanted) || s.sandbox_id.as_str().starts_with(wanted))
        };
        let mut found: Vec<&SandboxInfo> = sandboxes.iter().filter(fits).collect();
        found.sort_by_key(|s| std::cmp::Reverse::<Timestamp>(s.created_at));
        match found.as_slice() {
            [] => {}
            [one] => return Ok(one),
            many => {
                let names: Vec<_> = many.iter().map(|s| format!("{} ({})", s.name, s.sandbox_id)).collect();
                return Err(ApiError::conflict(format!(
                    "{} fits several sandboxes: {}",
                    sanitize_line(wanted),
                    names.join(", ")
                ))
                .hint("name one by its id"));
            }
        }
    }
    Err(ApiError::not_found(format!("there is no sandbox {}", sanitize_line(wanted)))
        .hint("`sandbank sandbox list` shows those that run, with --all also those that ended"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::ErrorCode,
        core::{AccountId, Backend, SandboxId},
    };

    fn sandbox(id: &str, name: &str, status: SandboxStatus, age: i64) -> SandboxInfo {
        SandboxInfo {
            sandbox_id: SandboxId::new(id).unwrap(),
            name: name.into(),
            account_id: AccountId::new("default").unwrap(),
            status,
            image: "host".into(),
            backend: Backend::Local,
            created_at: Timestamp::from_second(1000 - age).unwrap(),
            ended_at: None,
            reason: None,
        }
    }

    fn all() -> Vec<SandboxInfo> {
        use SandboxStatus::{Running, Terminated};
        vec![
            sandbox("sb-1a", "heron", Running, 1),
            sandbox("sb-1b", "heron", Terminated, 2),
            sandbox("sb-2", "hermit", Running, 3),
            sandbox("sb-3", "old", Terminated, 9),
            sandbox("sb-4", "old", Terminated, 5),
            sandbox("sb-5", "older", Terminated, 4),
        ]
    }

    #[rstest::rstest]
    #[case("sb-1b", "sb-1b")]
    #[case("heron", "sb-1a")]
    #[case("hero", "sb-1a")]
    #[case("old", "sb-4")]
    #[case("olde", "sb-5")]
    #[case("sb-2", "sb-2")]
    fn what_is_typed_finds_one(#[case] typed: &str, #[case] id: &str) {
        assert_eq!(resolve(&all(), typed).unwrap().sandbox_id.as_str(), id);
    }

    #[rstest::rstest]
    #[case("her", ErrorCode::Conflict, "hermit (sb-2)")]
    #[case("nobody", ErrorCode::NotFound, "nobody")]
    #[case("", ErrorCode::NotFound, "no sandbox")]
    fn what_fits_none_or_several_is_told(#[case] typed: &str, #[case] code: ErrorCode, #[case] says: &str) {
        let error = resolve(&all(), typed).unwrap_err();
        assert_eq!(error.code, code);
        assert!(error.message.contains(says), "{error}");
    }

    #[test]
    fn an_escape_in_a_name_is_not_echoed() {
        assert!(!resolve(&[], "a\u{1b}]0;x\u{7}").unwrap_err().message.contains(['\u{1b}', '\u{7}']));
    }

    #[test]
    fn made_names_are_valid_and_never_taken() {
        let mut taken = HashSet::new();
        for _ in 0..200 {
            let name = make(Uuid::new_v4(), &taken);
            check(&name).unwrap();
            assert!(taken.insert(name));
        }
    }

    #[test]
    fn a_name_must_not_look_like_an_id() {
        assert!(check("sb-1").is_err() && check("a/b").is_err() && check("heron_2.x").is_ok());
    }
}
