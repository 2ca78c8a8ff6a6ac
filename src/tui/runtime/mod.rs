//! The loop: one queue in, one frame out; effects run beside it.
