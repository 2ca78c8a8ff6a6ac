//! `sandbank chat`

mod answer;
mod items;
mod stream;

use std::io::{self, IsTerminal, Read};

use serde_json::json;

use self::answer::Answer;
use super::{args::Chat, context::Context, failure::Failure, out, show, work::Work};
use crate::{
    api::{ApiError, Command, PageQuery, TranscriptQuery, Window, command::Turn},
    core::MicroDollars,
};

pub(super) async fn run(context: &Context, args: Chat) -> Result<(), Failure> {
    if args.show {
        return transcript(context, &args).await;
    }
    // One that has an id may be there already, and is followed then: nothing is asked again.
    let prompt = match args.prompt {
        Some(prompt) => Some(not_empty(prompt)?),
        None if context.request_id.is_some() => None,
        None => Some(not_empty(from_stdin()?)?),
    };
    let work = Work::begin(context, "chat").await?;
    let prompt = match prompt {
        Some(prompt) => prompt,
        None if work.known() => String::new(),
        None => not_empty(from_stdin()?)?,
    };
    // What is being written is told by its conversation, which a turn's own lines say only as they come.
    let conversation = match args.conversation {
        None if work.known() => {
            let query = PageQuery::new(context.account.clone(), context.profile, Window::Last, 1);
            let page = work.client().conversation(&query, &args.sandbox).await;
            page.ok().and_then(|page| page.conversation).map(|info| info.conversation)
        }
        named => named,
    };
    let mut answer = Answer::new(work.id(), conversation, context.json);
    let command = Command::Chat { sandbox: args.sandbox, conversation: args.conversation, prompt };
    let ended = work.follow::<Turn>(command, |published| answer.take(published)).await;
    answer.end()?;
    let turn = ended?;
    if context.json {
        // The names of the CLI's own result line, for one reader of both.
        out::json(&json!({
            "type": "sandbank.end",
            "conversation": turn.conversation,
            "is_error": turn.is_error,
            "result": turn.result,
            "cost_micros": turn.cost_micros,
            "duration_ms": turn.duration_ms,
            "version": turn.version,
        }))?;
    } else {
        if !answer.said_anything() && !turn.result.is_empty() {
            // Its lines were seen by the client that asked first.
            out::line(crate::core::text::sanitize(&turn.result))?;
        }
        let cost = MicroDollars(turn.cost_micros);
        out::note(out::dim_note(&format!("{} · {cost}", show::duration(turn.duration_ms))));
        if let Some(version) = turn.version {
            out::note(out::dim_note(&format!("saved as version {version}")));
        }
    }
    if turn.is_error { Err(Failure::Exit(1)) } else { Ok(()) }
}

fn not_empty(prompt: String) -> Result<String, Failure> {
    if prompt.trim().is_empty() { Err(ApiError::usage("the prompt is empty").into()) } else { Ok(prompt) }
}

/// The largest prompt that the server takes, with room for the rest of the request.
const MAX_PROMPT: u64 = 7 << 20;

fn from_stdin() -> Result<String, Failure> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return Err(ApiError::usage("there is no prompt").hint("write it behind the sandbox, or pipe it in").into());
    }
    let mut prompt = String::new();
    stdin.lock().take(MAX_PROMPT + 1).read_to_string(&mut prompt).map_err(|e| match e.kind() {
        io::ErrorKind::InvalidData => Failure::from(ApiError::usage("the prompt on stdin is not UTF-8")),
        _ => e.into(),
    })?;
    if prompt.len() as u64 > MAX_PROMPT {
        return Err(ApiError::usage("the prompt on stdin is longer than 7 MiB, more than any model reads")
            .hint("put it into a file of the workspace and name that")
            .into());
    }
    Ok(prompt)
}

/// `chat --show`
async fn transcript(context: &Context, args: &Chat) -> Result<(), Failure> {
    let query =
        TranscriptQuery { account: context.account.clone(), profile: context.profile, conversation: args.conversation };
    let placed = context.client()?.transcript(&query, &args.sandbox).await?;
    if context.json {
        return Ok(out::json(&placed)?);
    }
    for item in &placed {
        items::print(&item.item)?;
    }
    Ok(())
}
