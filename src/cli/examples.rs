//! What stands below the help of a command: how it is mostly used.

pub(super) const SANDBANK: &str = "\
Examples:
  sandbank sandbox create --name heron
  sandbank chat heron 'make a heron file'
  sandbank version save heron
  sandbank version restore heron latest

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not configured, 4 not found, 130 interrupted";

pub(super) const CREATE: &str = "\
Examples:
  sandbank sandbox create --name heron
  sandbank sandbox create --run 'pip install requests' --env LANG=C.UTF-8";

pub(super) const EXEC: &str = "\
Examples:
  sandbank sandbox exec heron -- sh -c 'echo hi > a'
  tar c src | sandbank sandbox exec heron -- tar x
  sandbank sandbox exec -t heron -- top";

pub(super) const TERMINATE: &str = "\
Examples:
  sandbank sandbox terminate heron --save
  sandbank sandbox terminate heron --no-save --yes";

pub(super) const RESTORE: &str = "\
Examples:
  sandbank version restore heron latest
  sandbank version restore heron 1795732869 --dry-run
  sandbank version restore heron 1795732869 --yes";

pub(super) const CHAT: &str = "\
Examples:
  sandbank chat heron 'fix the failing test'
  git diff | sandbank chat heron
  sandbank chat heron -- '- a prompt that begins with a dash'
  sandbank chat heron --show";

pub(super) const ENV: &str = "\
Example:
  eval \"$(sandbank engine env)\" && aws s3 ls \"s3://$SANDBANK_BUCKET\"";

pub(super) const COMPLETIONS: &str = "\
Example:
  sandbank completions bash > ~/.local/share/bash-completion/completions/sandbank";

pub(super) const MAN: &str = "\
Examples:
  sandbank man sandbox create | man -l -
  sandbank man --to ~/.local/share/man/man1";
