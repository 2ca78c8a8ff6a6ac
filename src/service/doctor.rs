//! What is in order and what isn't, and what to do about it. Names sources of keys, never keys.

use super::{clients::ClientEnv, inner::Inner, versions};
use crate::{
    api::{ApiError, Doctor, DoctorCheck, Scope},
    config::{ClaudeKeys, KEY_NAMES, is_program},
    core::Profile,
};

fn good(name: &str, detail: impl Into<String>) -> DoctorCheck {
    DoctorCheck { name: name.to_owned(), ok: true, detail: detail.into(), remedy: String::new() }
}

fn bad(name: &str, detail: impl Into<String>, remedy: impl Into<String>) -> DoctorCheck {
    DoctorCheck { name: name.to_owned(), ok: false, detail: detail.into(), remedy: remedy.into() }
}

fn failed(name: &str, error: ApiError) -> DoctorCheck {
    let remedy =
        if error.hint.is_empty() { "the server's log in the data dir says more".to_owned() } else { error.hint };
    bad(name, error.message, remedy)
}

impl Inner {
    pub(super) async fn doctor(&self, client: &ClientEnv, scope: &Scope) -> Doctor {
        // Configuration and data dir are looked at before there is a server to ask.
        let mut doctor = Doctor::default();
        match scope.profile {
            Profile::Local => {
                // The engine knows only the `claude` that it was started with; the client's own counts.
                let checks = self.places.local().checks().await;
                checks.into_iter().filter(|check| check.name != "claude").for_each(|check| doctor.add(check));
                doctor.add(self.claude(client));
            }
            Profile::Modal => doctor.add(self.modal_answers(client, scope).await),
        }
        doctor.add(self.sign_in(client).await);
        if scope.profile == Profile::Modal {
            doctor.add(self.bucket_answers(client, scope).await);
        }
        doctor
    }

    async fn modal_answers(&self, client: &ClientEnv, scope: &Scope) -> DoctorCheck {
        let asked = async {
            let modal = self.places.modal(scope.profile, &client.env).await?;
            Ok::<_, ApiError>(modal.existing_app(&scope.account.app()).await?)
        };
        match asked.await {
            Ok(_) => good("modal", "the token is valid and Modal answers"),
            Err(error) => failed("modal", error),
        }
    }

    async fn bucket_answers(&self, client: &ClientEnv, scope: &Scope) -> DoctorCheck {
        let asked = async {
            let place = self.places.place(scope.profile, &client.env).await?;
            versions::list(&place, &scope.account).await
        };
        match asked.await {
            Ok(versions) => good("versions", format!("the bucket answers; {} versions", versions.len())),
            Err(error) => failed("versions", error),
        }
    }

    /// The one that the next sandbox gets: the configuration's, or else the client's own.
    fn claude(&self, client: &ClientEnv) -> DoctorCheck {
        let set = self.config.engine.host.claude.as_deref();
        match (set, &client.claude) {
            (Some(path), _) if is_program(path) => {
                good("claude", format!("{}, from [engine.host] claude", path.display()))
            }
            (Some(path), _) => bad(
                "claude",
                format!("[engine.host] claude is {}, which is no program that you may run", path.display()),
                "set it to the Claude CLI of this machine, or take it out: then the first `claude` of your PATH counts",
            ),
            (None, Some(path)) => good("claude", format!("{}, from your PATH", path.display())),
            (None, None) => bad(
                "claude",
                "no `claude` on your PATH: sandboxes on this machine have none",
                "npm install -g @anthropic-ai/claude-code, or set [engine.host] claude in the configuration",
            ),
        }
    }

    async fn sign_in(&self, client: &ClientEnv) -> DoctorCheck {
        let keys = match self.keys(client).await {
            Ok(keys) if keys.can_sign_in() => keys,
            Ok(_) => return bad("key for claude", "there is none", ClaudeKeys::remedy()),
            Err(error) => return failed("key for claude", error),
        };
        let mut told = Vec::new();
        for name in KEY_NAMES {
            let Some(source) = keys.sources.get(name) else { continue };
            // The engine withholds the API key; the others can't be put into a request from outside yet.
            let inside = if name == "ANTHROPIC_API_KEY" { "" } else { "; it goes into the sandbox with the command" };
            told.push(format!("{name} from {source}{inside}"));
        }
        good("key for claude", told.join(", "))
    }
}
