//! `sandbank sandbox …`

mod create;
mod exec;
mod list;
mod logs;
mod show;
mod terminate;
mod tty;

use super::{args::SandboxCommand, context::Context, failure::Failure};

pub(super) async fn run(context: &Context, command: SandboxCommand) -> Result<(), Failure> {
    match command {
        SandboxCommand::Create(args) => create::run(context, args).await,
        SandboxCommand::List { all } => list::run(context, all).await,
        SandboxCommand::Show { sandbox } => show::run(context, &sandbox).await,
        SandboxCommand::Terminate(args) => terminate::run(context, args).await,
        SandboxCommand::Exec(args) => exec::run(context, args).await,
        SandboxCommand::Shell { sandbox } => exec::shell(context, sandbox).await,
        SandboxCommand::Logs { sandbox, follow } => logs::run(context, &sandbox, follow).await,
    }
}
