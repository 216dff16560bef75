//! The table of counts in the documentation.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::run::Run;

const HEAD: &str = "\
| target | sanitizer | seconds | executions | a second | edges | features | new inputs | findings | date |
|---|---|---|---|---|---|---|---|---|---|
";

/// Puts the counts of these runs into a file's table, which is made if there is none. Rows of other targets, and of
/// the same ones with another sanitizer, stay.
pub(super) fn refresh(file: &Path, runs: &[Run], sanitizer: &str, seconds: u64) -> Result<()> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let rows = runs.iter().map(|run| row(run, sanitizer, seconds, &today()));
    fs::write(file, with_rows(&text, rows)).with_context(|| file.display().to_string())
}

fn with_rows(text: &str, rows: impl Iterator<Item = String>) -> String {
    let (before, table) = match text.split_once(HEAD) {
        Some((before, rest)) => (before.to_owned(), rest),
        None => (format!("{}\n\n", text.trim_end()), ""),
    };
    let lines: Vec<&str> = table.lines().collect();
    let end = lines.iter().position(|line| !line.starts_with('|')).unwrap_or(lines.len());
    let mut all: Vec<String> = lines[..end].iter().map(|line| (*line).to_owned()).collect();
    for row in rows {
        match all.iter_mut().find(|other| key(other) == key(&row)) {
            Some(other) => *other = row,
            None => all.push(row),
        }
    }
    all.sort_by(|a, b| key(a).cmp(&key(b)));
    all.extend(lines[end..].iter().map(|line| (*line).to_owned()));
    format!("{before}{HEAD}{}\n", all.join("\n"))
}

fn row(run: &Run, sanitizer: &str, seconds: u64, date: &str) -> String {
    let Run { target, executions, per_second, edges, features, new_inputs, failure } = run;
    let findings = u8::from(failure.is_some());
    format!(
        "| {target} | {sanitizer} | {seconds} | {} | {} | {edges} | {features} | {new_inputs} | {findings} | {date} |",
        grouped(*executions),
        grouped(*per_second)
    )
}

/// Target and sanitizer.
fn key(row: &str) -> Vec<&str> {
    row.split('|').map(str::trim).skip(1).take(2).collect()
}

/// A number in groups of three digits.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped
}

fn today() -> String {
    let date = Command::new("date").args(["-u", "+%F"]).output();
    date.map_or_else(|_| "?".to_owned(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(executions: u64, targets: &[&str]) -> Vec<String> {
        let run = |target: &&str| Run { target: (*target).to_owned(), executions, ..Run::default() };
        targets.iter().map(|target| row(&run(target), "none", 60, "2000-01-01")).collect()
    }

    #[test]
    fn a_row_takes_the_place_of_an_older_one() {
        let first = with_rows("# Title\n\nText.\n", rows(1_234_567, &["b", "a"]).into_iter());
        assert!(first.starts_with("# Title\n\nText.\n\n| target "), "{first}");
        assert!(first.contains("| a | none | 60 | 1 234 567 |"), "{first}");
        let behind = format!("{first}\nMore.\n");
        let second = with_rows(&behind, rows(7, &["b"]).into_iter());
        let table: Vec<&str> = second.lines().skip(6).collect();
        assert!(table[0].starts_with("| a | none | 60 | 1 234 567 |"), "{second}");
        assert!(table[1].starts_with("| b | none | 60 | 7 |"), "{second}");
        assert_eq!(table[2..], ["", "More."]);
    }
}
