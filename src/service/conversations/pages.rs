//! Conversations as they are read: whole, in parts, and by what stands in them.

use std::ops::Range;

use crate::{
    api::{ApiError, ConversationInfo, ConversationPage, PageQuery, PlacedItem, Scope, SearchQuery, Window},
    core::{ConversationId, text::sanitize},
    service::{clients::ClientEnv, inner::Inner},
};

/// Items that are read at once: what the screen holds of a conversation.
const PAGE: u32 = 500;

/// Places where a text was found that are told: more than anyone steps through.
const MAX_FOUND: u32 = 1000;

/// The positions of a part, of so many items in all. Near an end it is moved so that it holds as many as were asked for.
fn positions(window: Window, total: u64, limit: u64) -> Range<u64> {
    let last = total.saturating_sub(limit);
    let (from, to) = match window {
        Window::Last => (last, total),
        Window::Before(position) => (position.min(total).saturating_sub(limit), position),
        Window::After(position) => (position.saturating_add(1), u64::MAX),
        Window::Around(position) => (position.saturating_sub(limit / 2).min(last), u64::MAX),
    };
    let from = from.min(total);
    from..to.min(total).min(from.saturating_add(limit))
}

impl Inner {
    pub(in crate::service) async fn transcript(
        &self,
        client: &ClientEnv,
        scope: &Scope,
        sandbox: &str,
        conversation: Option<ConversationId>,
    ) -> Result<Vec<PlacedItem>, ApiError> {
        let row = match conversation {
            Some(id) => self.store.conversation(id).await?.filter(|r| r.account == scope.account),
            None => {
                let sandbox = self.known(client, &scope.account, scope.profile, sandbox).await?;
                self.store.latest_conversation(&sandbox).await?
            }
        };
        let Some(row) = row else {
            let message = match conversation {
                Some(id) => format!("there is no conversation {id}"),
                None => "there is no conversation in this sandbox yet".to_owned(),
            };
            return Err(ApiError::not_found(message));
        };
        let mut items = Vec::new();
        loop {
            let from = items.last().map_or(0, |i: &PlacedItem| i.position + 1);
            let page = self.store.items(row.conversation, from, PAGE).await?;
            if page.is_empty() {
                return Ok(items);
            }
            items.extend(page);
        }
    }

    /// A part of a sandbox's latest conversation. That it has none is an answer too.
    pub(in crate::service) async fn page(
        &self,
        client: &ClientEnv,
        query: &PageQuery,
        sandbox: &str,
    ) -> Result<ConversationPage, ApiError> {
        let window = query.window()?;
        let sandbox = self.known(client, &query.account, query.profile, sandbox).await?;
        let Some(row) = self.store.latest_conversation(&sandbox).await? else {
            return Ok(ConversationPage {
                conversation: None,
                items: Vec::new(),
                more_before: false,
                more_after: false,
            });
        };
        let total = self.store.item_count(row.conversation).await?;
        let part = positions(window, total, query.limit.clamp(1, PAGE).into());
        let limit = u32::try_from(part.end.saturating_sub(part.start)).unwrap_or(PAGE);
        Ok(ConversationPage {
            items: self.store.items(row.conversation, part.start, limit).await?,
            more_before: part.start > 0,
            more_after: part.end < total,
            conversation: Some(ConversationInfo {
                conversation: row.conversation,
                title: row.title.unwrap_or_default(),
                model: row.model,
                context_tokens: row.context_tokens,
                usage: self.store.usage(row.conversation).await?,
            }),
        })
    }

    /// Positions of the items of a sandbox's latest conversation that hold a text, oldest first.
    pub(in crate::service) async fn search(
        &self,
        client: &ClientEnv,
        query: &SearchQuery,
        sandbox: &str,
    ) -> Result<Vec<u64>, ApiError> {
        let sandbox = self.known(client, &query.account, query.profile, sandbox).await?;
        // As the items' own text was: clean, in lower case.
        let text = sanitize(&query.text).as_str().to_lowercase();
        match self.store.latest_conversation(&sandbox).await? {
            Some(row) if !text.is_empty() => Ok(self.store.search_items(row.conversation, &text, MAX_FOUND).await?),
            _ => Ok(Vec::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case::the_end(Window::Last, 100, 90..100)]
    #[case::all_of_a_short_one(Window::Last, 3, 0..3)]
    #[case::nothing(Window::Last, 0, 0..0)]
    #[case::what_comes_before(Window::Before(50), 100, 40..50)]
    #[case::the_beginning(Window::Before(4), 100, 0..4)]
    #[case::before_the_first(Window::Before(0), 100, 0..0)]
    #[case::what_comes_after(Window::After(49), 100, 50..60)]
    #[case::the_rest(Window::After(95), 100, 96..100)]
    #[case::after_the_last(Window::After(99), 100, 100..100)]
    #[case::after_what_is_not_there(Window::After(u64::MAX), 100, 100..100)]
    #[case::the_middle(Window::Around(50), 100, 45..55)]
    #[case::near_the_beginning(Window::Around(2), 100, 0..10)]
    #[case::near_the_end(Window::Around(99), 100, 90..100)]
    fn a_part_is(#[case] window: Window, #[case] total: u64, #[case] part: Range<u64>) {
        assert_eq!(positions(window, total, 10), part);
    }
}
