//! A sandbox's one task: the same sandbox under the id by which its commands are reached, and the way to it.

use std::time::Duration;

use crate::{engine::Shared, proto::client::CommandRouterAccess};

/// Life of a token for a task; clients get a new one when it is over, and must not have to within an hour.
const ROUTER_TOKEN_LIFE: Duration = Duration::from_secs(24 * 3600);

/// The id of a sandbox's one task. A `V` at its end tells clients that it is of the second kind.
pub fn task_of(sandbox_id: &str) -> String {
    format!("ta-{}V", sandbox_id.strip_prefix("sb-").unwrap_or(sandbox_id))
}

/// The sandbox of a task.
pub fn sandbox_of(task_id: &str) -> Option<String> {
    Some(format!("sb-{}", task_id.strip_prefix("ta-")?.strip_suffix('V')?))
}

/// The way to a task for a caller, by whose `x-modal-client-type` the URL's scheme is chosen.
pub fn access(shared: &Shared, task_id: &str, caller: &str) -> CommandRouterAccess {
    CommandRouterAccess {
        jwt: shared.tokens.issue(task_id, ROUTER_TOKEN_LIFE),
        url: router_url(&shared.access.modal_url, caller),
    }
}

/// The router's address for a caller: Modal's Python (1, 3) dials `http` in plaintext and would try TLS on `https`; its
/// Go and JavaScript SDKs insist on `https` and then dial a loopback host in plaintext.
fn router_url(modal_url: &str, client_type: &str) -> String {
    match client_type {
        "7" | "8" | "9" => modal_url.replacen("http://", "https://", 1),
        _ => modal_url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_told_from_its_sandbox_and_back() {
        let id = "sb-01ARZ3NDEKTSV4RRFFQ69G5FAV";
        assert_eq!(task_of(id), "ta-01ARZ3NDEKTSV4RRFFQ69G5FAVV");
        assert_eq!(sandbox_of(&task_of(id)).unwrap(), id);
        for wrong in ["", "ta-", "sb-1V", "ta-1", "ta-1v"] {
            assert_eq!(sandbox_of(wrong), None, "{wrong}");
        }
    }
}
