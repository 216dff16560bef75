//! How text looks on a terminal.

use anstyle::{AnsiColor, Style};

/// The style of good news.
pub const GOOD: Style = AnsiColor::Green.on_default().bold();
/// The style of errors.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// The style of warnings.
pub const DOUBTFUL: Style = AnsiColor::Yellow.on_default().bold();
/// The style of names.
pub const NAME: Style = Style::new().bold();
/// The style of remarks.
pub const ASIDE: Style = Style::new().dimmed();
