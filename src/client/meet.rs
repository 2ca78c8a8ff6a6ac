//! Client and server of different builds: who gives way.

use crate::api::Welcome;

/// One side of a meeting.
#[derive(Debug, Clone, Copy)]
pub(super) struct Side<'a> {
    pub version: &'a str,
    pub build: &'a str,
    pub protocol: u32,
}

/// What a client does about the server it met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meeting {
    /// They understand each other.
    Talk,
    /// The server is older: it finishes what is under way, and ours takes its place.
    Replace,
    /// The client is older: this binary must be upgraded.
    Upgrade,
}

impl<'a> From<&'a Welcome> for Side<'a> {
    fn from(w: &'a Welcome) -> Self {
        Self { version: &w.version, build: &w.build, protocol: w.protocol }
    }
}

/// Within `/v1` a newer server serves older clients, so only the words' version makes a client too old. A debug build
/// takes the place of any other build of its version, unless that one is in the middle of something: who compiles
/// wants to try what was compiled.
pub(super) fn meet(client: Side<'_>, server: Side<'_>, running: usize, debug: bool) -> Meeting {
    let age = |side: Side<'_>| (side.protocol, numbers(side.version));
    if server.protocol > client.protocol {
        return Meeting::Upgrade;
    }
    if age(server) < age(client) {
        return Meeting::Replace;
    }
    if debug && server.version == client.version && server.build != client.build && running == 0 {
        return Meeting::Replace;
    }
    Meeting::Talk
}

/// `1.10.2` as numbers, so that 10 is more than 9. What isn't a number counts as 0.
fn numbers(version: &str) -> Vec<u64> {
    version.split(['.', '-', '+']).map(|part| part.parse().unwrap_or(0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case::same(("0.1.0", "a", 1), 3, false, Meeting::Talk)]
    #[case::other_build(("0.1.0", "b", 1), 0, false, Meeting::Talk)]
    #[case::other_build_debug(("0.1.0", "b", 1), 0, true, Meeting::Replace)]
    #[case::other_build_busy(("0.1.0", "b", 1), 1, true, Meeting::Talk)]
    #[case::older(("0.0.9", "b", 1), 5, false, Meeting::Replace)]
    #[case::newer(("0.10.0", "b", 1), 0, true, Meeting::Talk)]
    #[case::older_words(("0.1.0", "b", 0), 0, false, Meeting::Replace)]
    #[case::newer_words(("0.1.0", "b", 2), 0, true, Meeting::Upgrade)]
    fn who_gives_way(
        #[case] server: (&str, &str, u32),
        #[case] running: usize,
        #[case] debug: bool,
        #[case] expected: Meeting,
    ) {
        let side = |(version, build, protocol)| Side { version, build, protocol };
        assert_eq!(meet(side(("0.1.0", "a", 1)), side(server), running, debug), expected);
    }
}
