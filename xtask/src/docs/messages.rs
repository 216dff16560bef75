//! docs/messages.md: the lines in Xen's logs, with the rules that match.

use std::fmt::{Result, Write};

use xenstream::logs::{Writer, lines};

const HEAD: &str = "\
# Xen's messages, and the rules that match

<!-- Made by `cargo xtask docs` from crates/xenstream/src/logs. -->

When a restore or a migration fails, Xen's programs log the reason. For each message, this page has its meaning and the
rules that find the same fault before the restore. `xenstream explain 'the line from the log'` looks a line up here,
`xenstream verify` checks the image, and `xenstream explain RULE` says more about a rule. `*` stands for any text.

";

pub(super) fn messages(out: &mut impl Write) -> Result {
    out.write_str(HEAD)?;
    for writer in Writer::all() {
        writeln!(out, "## {writer}\n\n{}\n", writer.place())?;
        writeln!(out, "| message | meaning | rules |\n|---|---|---|")?;
        for entry in lines().filter(|entry| entry.writer == writer) {
            let rules: Vec<_> = entry.rules.iter().map(|rule| format!("`{rule}`")).collect();
            writeln!(
                out,
                "| `{}` | {} | {} |",
                entry.pattern.replace('|', "\\|"),
                entry.meaning,
                rules.join(", ")
            )?;
        }
        writeln!(out)?;
    }
    Ok(())
}
