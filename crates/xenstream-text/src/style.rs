//! How text looks on a terminal.

use anstyle::{AnsiColor, Style};

/// Of what is well.
pub const GOOD: Style = AnsiColor::Green.on_default().bold();
/// Of what is wrong.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// Of what may be wrong.
pub const DOUBTFUL: Style = AnsiColor::Yellow.on_default().bold();
/// Of names.
pub const NAME: Style = Style::new().bold();
/// Of what is said in passing.
pub const ASIDE: Style = Style::new().dimmed();
