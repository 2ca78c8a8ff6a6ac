//! What is tried again, how often, and when: Modal's rules for unary calls.

use std::time::Duration;

use prost::Message;
use tokio::time::{Instant, sleep, timeout};
use tonic::{Code, Status};

use crate::proto::client::{RpcRetryPolicy, RpcStatus};

/// Shortest pause that the other side can ask for.
const LEAST_THROTTLE: Duration = Duration::from_millis(100);

/// Longest that one call waits on the other side's request, all pauses together: Modal's clients wait for ever, which
/// a person at a keyboard does not.
const MOST_THROTTLE: Duration = Duration::from_secs(600);

/// Breaks in a row of what is asked for again until it ends (output, a build's log, an exit) before it is given up: as many as
/// [`ROUTER`] has retries. Whatever comes in between, the count begins anew.
pub(super) const MAX_BREAKS: u32 = ROUTER.retries;

/// How one kind of call is repeated.
#[derive(Debug, Clone, Copy)]
pub(super) struct Policy {
    /// Attempts after the first.
    pub retries: u32,
    /// First pause; doubles.
    pub pause: Duration,
    /// Longest pause.
    pub longest: Duration,
    /// Deadline of one attempt.
    pub deadline: Option<Duration>,
    /// A router is waited for only when it says RESOURCE_EXHAUSTED; the control plane with any code.
    pub router: bool,
}

/// The control plane: 3 retries, 0.1 s doubling to 1 s.
pub(super) const CONTROL: Policy = Policy {
    retries: 3,
    pause: Duration::from_millis(100),
    longest: Duration::from_secs(1),
    deadline: None,
    router: false,
};

/// The router: 10 retries, 10 ms doubling without limit (the last pause is 5 s).
pub(super) const ROUTER: Policy =
    Policy { retries: 10, pause: Duration::from_millis(10), longest: Duration::MAX, deadline: None, router: true };

impl Policy {
    /// The same with a deadline for each attempt.
    pub(super) const fn within(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }
}

/// Which attempt a request is; its headers say so.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Attempt {
    /// Failures before it.
    pub retries: u32,
    /// Pauses before it that the other side asked for.
    pub throttled: u32,
    /// Since the first attempt.
    pub delay: Duration,
}

/// Whether a failure may pass by itself.
pub(super) fn is_transient(code: Code) -> bool {
    matches!(code, Code::DeadlineExceeded | Code::Unavailable | Code::Cancelled | Code::Internal | Code::Unknown)
}

/// Calls until it works, the policy gives up, or the failure is final.
pub(super) async fn call<T, F>(policy: Policy, mut attempt: impl FnMut(Attempt) -> F) -> Result<T, Status>
where
    F: Future<Output = Result<T, Status>>,
{
    let start = Instant::now();
    let mut state = Attempt::default();
    let mut pause = policy.pause;
    let mut waited = Duration::ZERO;
    loop {
        let outcome = match policy.deadline {
            None => attempt(state).await,
            Some(deadline) => match timeout(deadline, attempt(state)).await {
                Ok(outcome) => outcome,
                Err(_) => Err(Status::deadline_exceeded(format!("no answer within {} s", deadline.as_secs()))),
            },
        };
        let status = match outcome {
            Ok(value) => return Ok(value),
            Err(status) => status,
        };
        let asked = asked_pause(&status).filter(|_| !policy.router || status.code() == Code::ResourceExhausted);
        if let Some(asked) = asked {
            waited += asked;
            if waited > MOST_THROTTLE {
                return Err(status);
            }
            sleep(asked).await;
            state.throttled += 1;
        } else if is_transient(status.code()) && state.retries < policy.retries {
            sleep(pause).await;
            pause = pause.saturating_mul(2).min(policy.longest);
            state.retries += 1;
        } else {
            return Err(status);
        }
        state.delay = start.elapsed();
    }
}

/// The pause that the other side asks for in the error's details.
fn asked_pause(status: &Status) -> Option<Duration> {
    let details = RpcStatus::decode(status.details()).ok()?.details;
    let any = details.iter().find(|any| any.type_url.ends_with("/modal.client.RPCRetryPolicy"))?;
    let policy = RpcRetryPolicy::decode(any.value.as_slice()).ok()?;
    let asked = Duration::try_from_secs_f32(policy.retry_after_secs).unwrap_or_default();
    Some(asked.max(LEAST_THROTTLE))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls with a script of failures; how often it was called, how long it took, how it ended.
    async fn play(policy: Policy, failures: Vec<Status>) -> (u32, Duration, Result<(), Code>) {
        let (mut calls, start) = (0, Instant::now());
        let mut failures = failures.into_iter();
        let outcome = call(policy, |_| {
            calls += 1;
            std::future::ready(failures.next().map_or(Ok(()), Err))
        })
        .await;
        (calls, start.elapsed(), outcome.map_err(|s| s.code()))
    }

    fn throttle(code: Code, seconds: f32) -> Status {
        let policy = RpcRetryPolicy { retry_after_secs: seconds };
        let any = prost_types::Any {
            type_url: "type.modal.com/modal.client.RPCRetryPolicy".into(),
            value: policy.encode_to_vec(),
        };
        let details = RpcStatus { code: code as i32, message: String::new(), details: vec![any] };
        Status::with_details(code, "slow down", details.encode_to_vec().into())
    }

    #[tokio::test(start_paused = true)]
    async fn transient_failures_are_tried_again_three_times() {
        let down = || Status::unavailable("x");
        assert_eq!(play(CONTROL, vec![down(), down()]).await, (3, Duration::from_millis(300), Ok(())));
        let (calls, took, end) = play(CONTROL, (0..9).map(|_| down()).collect()).await;
        assert_eq!((calls, took, end), (4, Duration::from_millis(700), Err(Code::Unavailable)));
    }

    #[tokio::test(start_paused = true)]
    async fn final_failures_are_not_tried_again() {
        for status in [Status::not_found(""), Status::invalid_argument(""), Status::resource_exhausted("")] {
            let code = status.code();
            assert_eq!(play(CONTROL, vec![status]).await, (1, Duration::ZERO, Err(code)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_that_is_asked_for_counts_as_no_retry() {
        let asked: Vec<_> = (0..7).map(|_| throttle(Code::ResourceExhausted, 2.0)).collect();
        assert_eq!(play(CONTROL, asked).await, (8, Duration::from_secs(14), Ok(())));
        // A router is believed only with RESOURCE_EXHAUSTED.
        let (calls, _, end) = play(ROUTER, vec![throttle(Code::FailedPrecondition, 2.0)]).await;
        assert_eq!((calls, end), (1, Err(Code::FailedPrecondition)));
        let forever: Vec<_> = (0..99).map(|_| throttle(Code::ResourceExhausted, 300.0)).collect();
        assert_eq!(play(CONTROL, forever).await.0, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_that_hangs_is_given_up() {
        let policy = CONTROL.within(Duration::from_secs(5));
        let mut calls = 0;
        let outcome = call(policy, |_| {
            calls += 1;
            let hangs = calls == 1;
            async move { if hangs { std::future::pending().await } else { Ok(()) } }
        })
        .await;
        assert!(outcome.is_ok() && calls == 2);
    }
}
