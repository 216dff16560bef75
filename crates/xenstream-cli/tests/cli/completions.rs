//! What shells are offered when they complete a command line.

use std::process::Command;

use crate::common::{run_in, xenstream};

/// What the program offers for the last word of a command line.
fn offered(words: &[&str]) -> Vec<String> {
    let output = xenstream()
        .env("XENSTREAM_COMPLETE", "bash")
        .env("_CLAP_COMPLETE_INDEX", (words.len() - 1).to_string())
        .arg("--")
        .args(words)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn names_are_offered_where_they_are_taken() {
    for (words, expected) in [
        (&["verify", "--deny", "libxc::pad"][..], &["libxc::padding"][..]),
        (&["verify", "--allow", "qemu::*"], &["qemu::*"]),
        (&["verify", "--limit", "xml"], &["xml="]),
        (&["verify", "--target", "4.13.5"], &["4.13.5"]),
        (&["inspect", "--type", "X86_TSC"], &["X86_TSC_INFO"]),
        (&["explain", "LAPIC3"], &["LAPIC32"]),
        (&["convert", "--container", "libv"], &["libvirt"]),
    ] {
        let words: Vec<&str> = ["xenstream"].iter().chain(words).copied().collect();
        assert_eq!(offered(&words), expected, "{words:?}");
    }
}

#[test]
fn each_shell_gets_a_script_that_asks_the_program() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let run = run_in(".".as_ref(), ["completions", shell]);
        assert_eq!(run.status, 0, "{shell}: {}", run.stderr);
        assert!(run.stdout.contains("XENSTREAM_COMPLETE"), "{shell}: {}", run.stdout);
    }
    assert_eq!(run_in(".".as_ref(), ["completions", "csh"]).status, 2);
}

/// Bash itself, which breaks words at colons and equals signs, and replaces what follows them.
#[test]
fn bash_completes_names_with_signs_in_them() {
    for (line, expected) in [
        ("xenstream explain libxc::padd", "padding"),
        ("xenstream verify --target=4.13.5", "4.13.5"),
        ("xenstream verify --limit xm", "xml="),
        ("xenstream expl", "explain"),
    ] {
        bash_completes(line, expected);
    }
}

fn bash_completes(line: &str, expected: &str) {
    let directory = std::path::Path::new(env!("CARGO_BIN_EXE_xenstream")).parent().unwrap();
    let script = "before=' :='; COMP_WORDBREAKS=$before; eval \"$(xenstream completions bash)\"; \
                  COMP_LINE=$0 COMP_POINT=${#0}; _xenstream; \
                  echo \"${COMPREPLY[*]}\"; [[ $COMP_WORDBREAKS == \"$before\" ]]";
    let path = std::env::join_paths([directory, "/usr/bin".as_ref(), "/bin".as_ref()]).unwrap();
    let Ok(output) = Command::new("bash").args(["-c", script, line]).env("PATH", path).output() else {
        eprintln!("there is no bash");
        return;
    };
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), expected, "{line}: {output:?}");
    assert!(output.status.success(), "{output:?}");
}
