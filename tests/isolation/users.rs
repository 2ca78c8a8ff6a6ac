//! All checks again, as two kinds of ordinary user.

use crate::{
    place,
    user::{self, Kind, User},
};

#[test]
fn everything_holds_for_an_ordinary_user_with_a_range_of_ids() {
    if let Some(user) = User::new(Kind::Range) {
        user.run(&[], &[]);
    }
}

#[test]
fn everything_holds_for_an_ordinary_user_with_one_id() {
    if let Some(user) = User::new(Kind::One) {
        user.run(&[], &[]);
    }
}

/// What the two above rely on: a user with a range gets that mode, and so on.
#[test]
fn the_ids_are_those_of_this_user() {
    let ids = place::Place::new().ids.clone();
    assert!(user::has(ids.mode), "{ids:?}");
    for range in ids.uids.iter().chain(&ids.gids) {
        assert_ne!(range.outside, 0, "an id of the sandbox is the host's root: {ids:?}");
    }
}
