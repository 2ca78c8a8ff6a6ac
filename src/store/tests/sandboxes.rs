//! Rows of sandboxes.

use super::*;
use crate::core::{RequestId, SandboxConfig, SandboxId, SandboxStatus};

fn sandbox(name: &str) -> SandboxRow {
    SandboxRow {
        request_id: RequestId::new(),
        sandbox_id: None,
        name: name.into(),
        profile: Profile::Local,
        config: SandboxConfig::new(account()),
        status: SandboxStatus::Pending,
        reason: None,
        ending: false,
        created_at: timestamp(1),
        ended_at: None,
    }
}

#[tokio::test]
async fn a_name_is_unique_among_live_sandboxes_only() {
    let f = Fixture::new().await;
    let add = async |row: SandboxRow| {
        f.store
            .write::<_, StoreError, _>(Pace::Now, move |tx| Box::pin(async move { tx.add_sandbox(&row).await }))
            .await
            .unwrap()
    };
    let mut first = sandbox("heron");
    assert!(add(first.clone()).await);
    assert!(!add(sandbox("heron")).await);
    first.status = SandboxStatus::Terminated;
    first.sandbox_id = Some(SandboxId::new("sb-1").unwrap());
    first.reason = Some("ended by you".into());
    let changed = first.clone();
    f.store
        .write::<_, StoreError, _>(Pace::Now, move |tx| Box::pin(async move { tx.change_sandbox(&changed).await }))
        .await
        .unwrap();
    assert!(add(sandbox("heron")).await);
    assert_eq!(f.store.sandbox_of(first.request_id).await.unwrap().unwrap(), first);
    assert_eq!(f.store.sandboxes(&account(), Profile::Local).await.unwrap().len(), 2);
    assert!(f.store.sandboxes(&account(), Profile::Modal).await.unwrap().is_empty());
    assert_eq!(f.published.lock().unwrap().last().unwrap().body.kind(), "sandbox");
}
