//! The environment of a command: defaults, then the sandbox's, then its own; later ones win.

use std::collections::BTreeMap;

use tonic::Status;

use crate::{
    engine::{Shared, proxy},
    proto::client::{PtyInfo, SecretSource, StringMap, secret_source::Source},
};

/// Variables by name.
pub type Env = BTreeMap<String, String>;

/// Where commands are looked for, as Debian has it.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What every command of a sandbox has unless its image, secrets or caller say otherwise.
pub fn defaults(sandbox_id: &str, task_id: &str, network: bool) -> Env {
    let mut env = if network { proxy::environment() } else { Env::new() };
    for (name, value) in [
        ("HOME", "/root"),
        ("PATH", PATH),
        // Claude Code runs as root only where it is told that this is one.
        ("IS_SANDBOX", "1"),
        ("MODAL_SANDBOX_ID", sandbox_id),
        ("MODAL_TASK_ID", task_id),
    ] {
        env.insert(name.to_owned(), value.to_owned());
    }
    env
}

/// What a terminal says about itself.
pub fn terminal(pty: &PtyInfo) -> Env {
    let term = if pty.env_term.is_empty() { "xterm-256color" } else { &pty.env_term };
    let all = [("TERM", term), ("COLORTERM", &pty.env_colorterm), ("TERM_PROGRAM", &pty.env_term_program)];
    all.into_iter().filter(|(_, v)| !v.is_empty()).map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}

/// Where variables come from in a request, in the order in which later ones win. Clients of different ages send
/// different ones of these.
#[derive(Debug, Default)]
pub struct Sources<'a> {
    /// Named secrets.
    pub ids: &'a [String],
    /// Plain variables.
    pub plain: Vec<&'a StringMap>,
    /// Both, in order.
    pub mixed: &'a [SecretSource],
}

/// Reads them all.
pub async fn gather(shared: &Shared, sources: Sources<'_>) -> Result<Env, Status> {
    let mut env = Env::new();
    for id in sources.ids {
        env.extend(shared.secrets.values(id).await?);
    }
    for map in sources.plain {
        env.extend(map.contents.clone());
    }
    for source in sources.mixed {
        match &source.source {
            Some(Source::SecretId(id)) => env.extend(shared.secrets.values(id).await?),
            Some(Source::Env(map)) => env.extend(map.contents.clone()),
            None => {}
        }
    }
    check(&env)?;
    Ok(env)
}

/// Refuses what no process can have.
fn check(env: &Env) -> Result<(), Status> {
    match env.iter().find(|(name, value)| name.is_empty() || name.contains(['=', '\0']) || value.contains('\0')) {
        Some((name, _)) => {
            Err(Status::invalid_argument(format!("the variable {name:?} has an impossible name or a zero byte")))
        }
        None => Ok(()),
    }
}

/// One over the other.
pub fn merge(layers: impl IntoIterator<Item = Env>) -> Env {
    layers.into_iter().fold(Env::new(), |mut all, layer| {
        all.extend(layer);
        all
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> Env {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn later_layers_win_and_defaults_give_way() {
        let merged = merge([
            defaults("sb-1", "ta-1V", true),
            env(&[("HOME", "/home/image"), ("A", "image")]),
            env(&[("A", "exec"), ("NO_PROXY", "all")]),
        ]);
        assert_eq!(merged["HOME"], "/home/image");
        assert_eq!(merged["A"], "exec");
        assert_eq!(merged["NO_PROXY"], "all");
        assert_eq!(merged["IS_SANDBOX"], "1");
        assert_eq!(merged["https_proxy"], "http://127.0.0.1:3128");
        assert_eq!(merged["NODE_USE_ENV_PROXY"], "1");
    }

    #[test]
    fn a_sandbox_without_network_is_not_sent_to_a_proxy() {
        assert!(defaults("sb-1", "ta-1V", false).keys().all(|name| !name.to_lowercase().contains("proxy")));
    }

    #[test]
    fn a_terminal_says_what_it_is() {
        assert_eq!(terminal(&PtyInfo::default()), env(&[("TERM", "xterm-256color")]));
        let pty = PtyInfo { env_term: "vt100".into(), env_colorterm: "truecolor".into(), ..PtyInfo::default() };
        assert_eq!(terminal(&pty), env(&[("COLORTERM", "truecolor"), ("TERM", "vt100")]));
    }

    #[test]
    fn impossible_variables_are_refused_without_their_values() {
        for (name, value) in [("", "secret"), ("a=b", "secret"), ("a\0", "secret"), ("a", "secret\0")] {
            let said = check(&env(&[(name, value)])).unwrap_err();
            assert!(!said.message().contains("secret"), "{said}");
        }
        check(&env(&[("A", "=")])).unwrap();
    }
}
