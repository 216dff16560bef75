//! What docs/scrub.md says is what the program says.

use xenstream::scrub::{Blanked, TABLE};

#[test]
fn the_documentation_has_the_table() {
    let docs = include_str!("../../../../../docs/scrub.md");
    for part in TABLE {
        let when = match part.blanked {
            Blanked::Always => "always",
            Blanked::Registers => "`--registers`",
            Blanked::Names => "`--names`",
            Blanked::Never => "never",
        };
        let line = format!("| {} | {} | {when} |", part.place, part.holds);
        assert!(docs.lines().any(|other| other == line), "{line}");
    }
    let lines = docs.lines().skip_while(|line| !line.starts_with("| where")).skip(2);
    assert_eq!(lines.take_while(|line| line.starts_with('|')).count(), TABLE.len());
}
