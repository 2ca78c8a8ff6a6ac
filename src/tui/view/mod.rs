//! Draws the model. Pure: it reads, and writes only cells.

use ratatui::Frame;

use super::{app::Model, theme::Theme};

/// Draws the whole screen.
pub fn draw(_model: &Model, _theme: &Theme, _frame: &mut Frame) {}
