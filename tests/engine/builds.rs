//! Builds go on for those who follow them, and no longer.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use sandbank::{
    core::ImageConfig,
    modal::{ModalError, Stage},
};
use tokio::task::JoinHandle;

use crate::place::{Place, processes, soon, until};

/// Somebody who builds an image of one command, and sees its log.
struct Follower {
    building: JoinHandle<Result<String, ModalError>>,
    saw: Arc<AtomicBool>,
}

impl Follower {
    /// Gives one who has seen that the command runs.
    async fn of(place: &Place, command: &str) -> Self {
        let (modal, saw) = (place.modal(), Arc::new(AtomicBool::new(false)));
        let (seen, run) = (saw.clone(), format!("RUN {command}"));
        let building = tokio::spawn(async move {
            let app = modal.app("heron").await?;
            let config = ImageConfig { base_image: "host".to_owned(), dockerfile_commands: vec![run.clone()] };
            let note = |stage: Stage| {
                seen.fetch_or(matches!(stage, Stage::Log(line) if line.raw() == "begun"), Ordering::SeqCst);
            };
            modal.image(&app, &config, &note).await
        });
        let follower = Self { building, saw };
        until("the command runs", async || follower.saw.load(Ordering::SeqCst)).await;
        follower
    }

    /// It is interrupted.
    fn leave(self) {
        self.building.abort();
    }
}

/// A command that no other process of this machine runs, and that doesn't end.
fn sleep() -> String {
    format!("sleep 86400.{}", uuid::Uuid::new_v4().as_u128() % 1_000_000_000)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_ends_when_the_last_has_left_it() {
    let Some(place) = Place::new().await else { return };
    // Longer than a build goes on without anybody.
    let command = "echo begun; sleep 3; echo whole > /srv/heron";
    let (first, second) = (Follower::of(&place, command).await, Follower::of(&place, command).await);
    first.leave();
    soon("the build", second.building).await.unwrap().unwrap();

    let sleep = sleep();
    let command = format!("echo begun; {sleep}");
    Follower::of(&place, &command).await.leave();
    until("its command has ended", async || processes::with(&sleep).is_empty()).await;
    until("nothing is left of it", async || place.names("builds").is_empty()).await;
    // Who asks again gets another build, not the end of that one.
    Follower::of(&place, &command).await.leave();
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_ends_with_the_engine() {
    let Some(mut place) = Place::new().await else { return };
    let sleep = sleep();
    let follower = Follower::of(&place, &format!("echo begun; {sleep}")).await;
    assert!(!processes::with(&sleep).is_empty());
    place.stop().await;
    assert!(processes::with(&sleep).is_empty(), "its command goes on");
    assert!(place.names("builds").is_empty() && place.processes("").is_empty(), "{:?}", place.names("builds"));
    // Else it would ask the next one.
    follower.leave();
    place.start().await;
    place.close().await;
}
