//! Claude: its command line, the events it prints, and the fold from events to what a transcript shows.
//!
//! Pure: no process is started and nothing is stored here. What the CLI does and prints was measured with version
//! 2.1.330; it promises no stability, so what isn't known is kept as it came and never an error.

pub mod command;
pub mod cost;
pub mod ending;
pub mod fold;
pub mod stream;

pub use command::{Conversation, Invocation, Session};
pub use ending::Ending;
pub use fold::Fold;
pub use stream::{Event, Line, Splitter};
