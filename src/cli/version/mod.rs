//! `sandbank version …`

mod list;
mod restore;
pub(super) mod save;
mod show;

use super::{args::VersionCommand, context::Context, failure::Failure};

pub(super) async fn run(context: &Context, command: VersionCommand) -> Result<(), Failure> {
    match command {
        VersionCommand::List { unfinished: false } => list::run(context).await,
        VersionCommand::List { unfinished: true } => list::unfinished(context).await,
        VersionCommand::Latest => show::latest(context).await,
        VersionCommand::Show { version } => show::run(context, &version).await,
        VersionCommand::Save { sandbox, note } => save::run(context, sandbox, note).await,
        VersionCommand::Restore { sandbox, version, dry_run: true, .. } => {
            restore::dry_run(context, sandbox, version).await
        }
        VersionCommand::Restore { sandbox, version, yes, .. } => restore::run(context, sandbox, version, yes).await,
    }
}
