//! Execs and their outbox.

use super::*;
use crate::core::{ExecId, SandboxId};

#[tokio::test]
async fn an_outbox_keeps_what_was_not_acknowledged_until_its_exec_ends() {
    let f = Fixture::new().await;
    let sandbox = SandboxId::new("sb-1").unwrap();
    let row = ExecRow::new(ExecId::new(), account(), Profile::Local, sandbox.clone(), "{}".into());
    let id = row.exec_id;
    f.store
        .write::<_, StoreError, _>(Pace::Now, move |tx| {
            Box::pin(async move {
                assert!(tx.add_exec(&row).await?);
                assert!(!tx.add_exec(&row).await?);
                for n in 1..=3 {
                    tx.add_outbox(id, n, b"line").await?;
                }
                tx.add_outbox(id, 2, b"other").await?;
                tx.acknowledge_outbox(id, 1).await?;
                tx.exec_started(id).await?;
                tx.exec_committed(id, 100).await?;
                tx.exec_committed(id, 60).await
            })
        })
        .await
        .unwrap();
    assert_eq!(f.store.outbox(id).await.unwrap(), [(2, b"line".to_vec()), (3, b"line".to_vec())]);
    let running = f.store.unfinished_execs().await.unwrap();
    assert_eq!((running[0].state, running[0].committed), (ExecState::Running, 100));
    assert!(f.store.ended_execs(&sandbox, 9).await.unwrap().is_empty());
    f.store
        .write::<_, StoreError, _>(Pace::Now, move |tx| {
            Box::pin(async move { tx.exec_ended(id, Some(137), Some("killed")).await })
        })
        .await
        .unwrap();
    assert!(f.store.outbox(id).await.unwrap().is_empty());
    assert_eq!(f.store.ended_execs(&sandbox, 9).await.unwrap(), [id]);
    assert_eq!(f.store.exec(id).await.unwrap().unwrap().exit_code, Some(137));
}
