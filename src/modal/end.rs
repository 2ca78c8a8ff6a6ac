//! How a sandbox ended, from Modal's words to ours.

use crate::{
    core::Untrusted,
    proto::client::{GenericResult, generic_result::GenericStatus},
};

/// How a sandbox ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxEnd {
    /// How.
    pub kind: EndKind,
    /// Exit code of its first command.
    pub code: i32,
    /// What else is known.
    pub message: Untrusted,
}

/// Kinds of ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndKind {
    /// Its first command ended.
    Exited,
    /// Somebody ended it.
    Terminated,
    /// Its time was over.
    Timeout,
    /// Nobody used it.
    Idle,
    /// It used too much memory.
    OutOfMemory,
    /// It could not be started.
    NotStarted,
    /// Something else.
    Failed,
}

impl SandboxEnd {
    /// From the other side's result; `None` while it has none.
    pub(super) fn read(result: &GenericResult) -> Option<Self> {
        let kind = match result.status() {
            GenericStatus::Unspecified => return None,
            GenericStatus::Success => EndKind::Exited,
            GenericStatus::Terminated => EndKind::Terminated,
            GenericStatus::Timeout => EndKind::Timeout,
            GenericStatus::IdleTimeout => EndKind::Idle,
            GenericStatus::InitFailure => EndKind::NotStarted,
            GenericStatus::MemoryManagerEviction
            | GenericStatus::MemoryThrashingEviction
            | GenericStatus::KernelOomKill => EndKind::OutOfMemory,
            GenericStatus::Failure if result.exception.is_empty() => EndKind::Exited,
            GenericStatus::Failure | GenericStatus::InternalFailure => EndKind::Failed,
        };
        // Codes of ends that are no exits, as Modal's clients give them.
        let code = match kind {
            EndKind::Timeout => 124,
            EndKind::Terminated => 137,
            _ => result.exitcode,
        };
        Some(Self { kind, code, message: Untrusted::new(&result.exception) })
    }

    /// In words.
    pub fn reason(&self) -> String {
        let what = match self.kind {
            EndKind::Exited => format!("its first command ended with {}", self.code),
            EndKind::Terminated => "terminated".to_owned(),
            EndKind::Timeout => "its time was over".to_owned(),
            EndKind::Idle => "nobody used it".to_owned(),
            EndKind::OutOfMemory => "it used more memory than it may".to_owned(),
            EndKind::NotStarted => "it could not be started".to_owned(),
            EndKind::Failed => "it failed".to_owned(),
        };
        let said = self.message.clean_line();
        if said.as_str().is_empty() { what } else { format!("{what}: {said}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_has_its_kind_its_code_and_a_sentence() {
        let read = |status: GenericStatus, exitcode, exception: &str| {
            let exception = exception.to_owned();
            SandboxEnd::read(&GenericResult { status: status.into(), exitcode, exception, ..GenericResult::default() })
        };
        let said = |end: Option<SandboxEnd>| end.map(|end| (end.kind, end.code, end.reason()));
        assert_eq!(read(GenericStatus::Unspecified, 0, ""), None, "it runs");
        for (status, code, exception, kind, shown, reason) in [
            (GenericStatus::Success, 0, "", EndKind::Exited, 0, "its first command ended with 0"),
            (GenericStatus::Failure, 3, "", EndKind::Exited, 3, "its first command ended with 3"),
            (GenericStatus::Failure, 1, "no disk", EndKind::Failed, 1, "it failed: no disk"),
            (GenericStatus::Timeout, 0, "", EndKind::Timeout, 124, "its time was over"),
            (GenericStatus::Terminated, 0, "", EndKind::Terminated, 137, "terminated"),
            (GenericStatus::KernelOomKill, 137, "", EndKind::OutOfMemory, 137, "it used more memory than it may"),
        ] {
            assert_eq!(said(read(status, code, exception)), Some((kind, shown, reason.to_owned())), "{status:?}");
        }
    }
}
