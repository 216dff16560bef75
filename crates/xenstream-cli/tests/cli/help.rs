//! What `-h` and `--help` say is true, and fits the screen.

use std::env;
use std::path::Path;
use std::process::Command;

use crate::common::{Run, directory, finished, image, run_in, xenstream};
use crate::inspect::shown;

/// The subcommands, as the help lists them.
fn commands() -> Vec<String> {
    let help = run_in(Path::new("."), ["--help"]).stdout;
    let (_, rest) = help.split_once("Commands:\n").unwrap();
    let (list, _) = rest.split_once("\n\n").unwrap();
    // What is said of a command may go on below it, further to the right.
    let names = list.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    names.filter(|name| !["", "help"].contains(name)).map(str::to_owned).collect()
}

fn help(command: &str) -> String {
    run_in(Path::new("."), command.split_whitespace().chain(["--help"])).stdout
}

/// The examples without what is said of them, which three spaces set apart.
fn examples(help: &str) -> Vec<String> {
    let Some((_, rest)) = help.split_once("\nExamples:\n") else { return Vec::new() };
    let lines = rest.lines().take_while(|line| !line.is_empty());
    lines.map(|line| line.trim_start().split("   ").next().unwrap_or(line).to_owned()).collect()
}

/// Runs a line of shell where there are images.
fn run_line(line: &str) -> Run {
    let broken = image().cut(5000).bytes();
    let files = directory(&[("guest.save", &image().bytes()), ("broken.save", &broken)]);
    let saves = files.path().join("saves");
    std::fs::create_dir(&saves).unwrap();
    std::fs::copy(files.path().join("guest.save"), saves.join("guest.save")).unwrap();
    let program = xenstream();
    let programs = Path::new(program.get_program()).parent().unwrap();
    let path = env::join_paths(
        [programs.to_owned()].into_iter().chain(env::split_paths(&env::var_os("PATH").unwrap())),
    );
    let mut shell = Command::new("sh");
    shell.args(["-c", line]).current_dir(files.path()).env("PATH", path.unwrap());
    finished(shell.output().unwrap())
}

#[test]
fn every_example_works() {
    for command in [String::new()].into_iter().chain(commands()) {
        let help = help(&command);
        let examples = examples(&help);
        assert!(!examples.is_empty(), "{command:?} has no examples");
        assert!(help.contains("\nExit status:\n  0  "), "{command:?} does not say how it ends");
        for line in examples {
            let run = run_line(&line);
            // The one thing that an example may show besides success is a verdict.
            assert_eq!(run.status, i32::from(line.contains("broken.save")), "{line}: {run:?}");
            assert!(!run.stderr.contains("Usage"), "{line}: {run:?}");
        }
    }
}

#[test]
fn help_fits_100_columns() {
    for command in [String::new()].into_iter().chain(commands()) {
        for line in help(&command).lines() {
            assert!(line.chars().count() <= 100, "{command}: {line}");
        }
    }
}

#[test]
fn short_help_fits_one_screen() {
    /// Lines of a terminal of ordinary size.
    const LINES: usize = 50;
    for command in [String::new()].into_iter().chain(commands()) {
        let help = run_in(Path::new("."), command.split_whitespace().chain(["-h"])).stdout;
        assert!(help.lines().count() <= LINES, "{command}: {} lines", help.lines().count());
    }
}

#[test]
fn text_fits_narrow_terminals() {
    let files = directory(&[("guest.save", &image().bytes())]);
    for columns in [60, 80, 100] {
        for command in [
            &["rules"][..],
            &["targets"],
            &["explain", "libxc::p2m-frames-length"],
            &["explain", "LAPIC32"],
            &["verify", "-v", "guest.save"],
        ] {
            let text = shown(columns, files.path(), command);
            assert!(text.lines().count() > 3, "{command:?}: {text}");
            for line in text.lines() {
                assert!(line.chars().count() <= usize::from(columns), "{columns}, {command:?}: {line}");
            }
        }
    }
}
