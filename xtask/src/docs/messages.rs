//! docs/messages.md: the lines of Xen's logs that belong to rules.

use std::fmt::{Result, Write};

use xenstream::logs::{Writer, lines};

const HEAD: &str = "\
# Messages of Xen, and the rules they belong to

`cargo xtask docs` makes this page from the tables in `crates/xenstream/src/logs`.

When a restore or a migration fails, Xen's programs say why in their logs. This page says which rule finds the same
fault before the restore: `xenstream verify` with the image, and `xenstream explain` with the rule, say more.
`xenstream explain 'the line'` finds the entry. `*` stands for anything, such as numbers.

";

pub(super) fn messages(out: &mut impl Write) -> Result {
    out.write_str(HEAD)?;
    for writer in Writer::ALL {
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
