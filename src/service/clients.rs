//! The clients that said hello, and the environment that each sent along. In memory only: it holds keys.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use uuid::Uuid;

/// Every command of a shell is a client of its own, so old ones must go. A client that is still there after so many
/// others says hello again.
const MAX_CLIENTS: usize = 1000;

/// What a client's hello left: its shell's variables (keys; memory only) and where it has `claude`.
#[derive(Clone, Default)]
pub struct ClientEnv {
    /// Variables whose names [`crate::api::hello::is_override`].
    pub env: BTreeMap<String, String>,
    /// The `claude` of its PATH.
    pub claude: Option<PathBuf>,
}

/// Names only: the values are keys.
impl fmt::Debug for ClientEnv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientEnv")
            .field("env", &self.env.keys().collect::<Vec<_>>())
            .field("claude", &self.claude)
            .finish()
    }
}

/// Those that said hello.
#[derive(Debug, Default)]
pub(super) struct Clients(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    envs: HashMap<Uuid, Arc<ClientEnv>>,
    order: VecDeque<Uuid>,
}

impl Clients {
    /// Remembers one; its new id.
    pub(super) fn add(&self, client: ClientEnv) -> Uuid {
        let id = Uuid::new_v4();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.envs.insert(id, Arc::new(client));
        known.order.push_back(id);
        while known.order.len() > MAX_CLIENTS {
            if let Some(old) = known.order.pop_front() {
                known.envs.remove(&old);
            }
        }
        id
    }

    /// Whether a client's hello is remembered: one of a server before, or long ago, isn't.
    pub(super) fn knows(&self, id: Uuid) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).envs.contains_key(&id)
    }

    /// The client's environment; an empty one when it isn't known, and then the configuration alone counts.
    pub(super) fn env(&self, id: Option<Uuid>) -> Arc<ClientEnv> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        id.and_then(|id| known.envs.get(&id).cloned()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_clients_are_forgotten_and_the_rest_kept() {
        let clients = Clients::default();
        let first = clients.add(ClientEnv::default());
        let claude = Some(PathBuf::from("/x/claude"));
        let last = (0..MAX_CLIENTS).map(|_| clients.add(ClientEnv { claude: claude.clone(), ..ClientEnv::default() }));
        let last = last.last().unwrap();
        assert!(!clients.knows(first) && clients.knows(last));
        assert_eq!(clients.env(Some(first)).claude, None);
        assert_eq!(clients.env(Some(last)).claude, claude);
    }

    #[test]
    fn keys_are_not_shown() {
        let env = BTreeMap::from([("ANTHROPIC_API_KEY".to_owned(), "hunter2".to_owned())]);
        assert!(!format!("{:?}", ClientEnv { env, claude: None }).contains("hunter2"));
    }
}
