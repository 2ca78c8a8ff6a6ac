//! A sandbox's end in Modal's words.

use crate::{
    engine::spec::End,
    proto::client::{GenericResult, generic_result::GenericStatus as Status},
};

/// Exit code of what was killed, as shells count it.
const KILLED: i32 = 137;
/// Exit code of what ran out of time, as `timeout` gives it.
const TIMED_OUT: i32 = 124;

/// How a sandbox ended. `started`: its jail stood.
pub fn result(end: &End, started: bool) -> GenericResult {
    let (status, exitcode, exception) = match end {
        End::Exited { code: 0 } => (Status::Success, 0, String::new()),
        End::Exited { code } => (Status::Failure, *code, String::new()),
        End::Terminated => (Status::Terminated, KILLED, String::new()),
        End::Timeout => (Status::Timeout, TIMED_OUT, String::new()),
        End::OutOfMemory => (Status::KernelOomKill, KILLED, String::new()),
        End::Failed { reason } if started => (Status::InternalFailure, 1, reason.clone()),
        End::Failed { reason } => (Status::InitFailure, 1, reason.clone()),
        End::Lost => {
            let why = "its keeper was killed, or the machine stopped: its files are on its volumes, make a new sandbox";
            (Status::InternalFailure, KILLED, why.to_owned())
        }
    };
    GenericResult { status: status.into(), exitcode, exception, ..GenericResult::default() }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(End::Exited { code: 0 }, Status::Success, 0)]
    #[case(End::Exited { code: 42 }, Status::Failure, 42)]
    #[case(End::Terminated, Status::Terminated, 137)]
    #[case(End::Timeout, Status::Timeout, 124)]
    #[case(End::OutOfMemory, Status::KernelOomKill, 137)]
    #[case(End::Failed { reason: "why".into() }, Status::InternalFailure, 1)]
    #[case(End::Lost, Status::InternalFailure, 137)]
    fn ends_in_modals_words(#[case] end: End, #[case] status: Status, #[case] code: i32) {
        let said = result(&end, true);
        assert_eq!((said.status(), said.exitcode), (status, code));
        // Clients take a failure with words for one that is none of the command's.
        assert_eq!(said.exception.is_empty(), !matches!(end, End::Failed { .. } | End::Lost));
    }

    #[test]
    fn one_that_never_stood_could_not_be_started() {
        let said = result(&End::Failed { reason: "no user namespaces".into() }, false);
        assert_eq!(said.status(), Status::InitFailure);
        assert_eq!(said.exception, "no user namespaces");
    }
}
