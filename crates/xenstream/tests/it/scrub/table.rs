//! What docs/scrub.md says is what the program says.

use xenstream::scrub::{Blanked, parts};

#[test]
fn the_documentation_has_the_table() {
    let docs = include_str!("../../../../../docs/scrub.md");
    let lines = docs.lines().skip_while(|line| !line.starts_with("| where")).skip(2);
    let documented: Vec<&str> = lines.take_while(|line| line.starts_with('|')).collect();
    let table = parts().map(|part| {
        let when = match part.blanked {
            Blanked::Always => "always",
            Blanked::Registers => "`--registers`",
            Blanked::Names => "`--names`",
            Blanked::Never => "never",
            other => panic!("the table has no words for {other:?}"),
        };
        format!("| {} | {} | {when} |", part.place, part.holds)
    });
    assert_eq!(documented, table.collect::<Vec<_>>());
}
