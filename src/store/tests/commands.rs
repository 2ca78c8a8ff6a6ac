//! What is known of commands.

use super::*;
use crate::{
    api::{ApiError, Command, CommandRequest, CommandState},
    core::RequestId,
};

fn request() -> CommandRequest {
    CommandRequest {
        request_id: RequestId::new(),
        account: account(),
        profile: Profile::Local,
        command: Command::SandboxTerminate { sandbox: "heron".into(), save: false },
    }
}

async fn accept(store: &Store, request: &CommandRequest) -> Option<CommandRow> {
    let request = request.clone();
    store
        .write::<_, StoreError, _>(Pace::Now, move |tx| Box::pin(async move { tx.accept_command(&request).await }))
        .await
        .unwrap()
}

#[tokio::test]
async fn a_command_is_stored_once_and_keeps_its_first_end() {
    let f = Fixture::new().await;
    let request = request();
    assert!(accept(&f.store, &request).await.is_none());
    assert_eq!(accept(&f.store, &request).await.unwrap().answer.state, CommandState::Accepted);
    assert_eq!(f.store.unfinished_commands().await.unwrap(), [request.request_id]);
    let [summary] = &f.store.commands_under_way(&account(), Profile::Local).await.unwrap()[..] else {
        panic!("one command is under way")
    };
    assert_eq!((summary.request_id, summary.kind.as_str()), (request.request_id, "sandbox_terminate"));
    assert_eq!((summary.state, summary.sandbox.as_deref()), (CommandState::Accepted, Some("heron")));
    assert!(f.store.commands_under_way(&account(), Profile::Modal).await.unwrap().is_empty());
    assert!(f.store.commands_under_way(&AccountId::new("b").unwrap(), Profile::Local).await.unwrap().is_empty());

    let ended = request.clone();
    f.store
        .write::<_, StoreError, _>(Pace::Now, move |tx| {
            Box::pin(async move {
                tx.begin_command(&ended).await?;
                tx.end_command(&ended, &Ok(serde_json::json!({"a": 1}))).await?;
                tx.end_command(&ended, &Err(ApiError::failed("late"))).await
            })
        })
        .await
        .unwrap();

    let f = f.reopen().await;
    let row = f.store.command(request.request_id).await.unwrap().unwrap();
    assert_eq!((row.answer.state, row.attempts), (CommandState::Done, 1));
    assert_eq!(row.answer.result["a"], 1);
    assert_eq!(row.request, request);
    assert!(f.store.unfinished_commands().await.unwrap().is_empty());
}
