//! A standard stream that is closed carries nothing: no verdict comes of it, and no success.

use std::process::{Command, Output};

use crate::common::{directory, image};

/// Runs the program through a shell, which closes or redirects its standard streams.
fn shell(line: &str) -> Output {
    let directory = directory(&[("a.save", &image().bytes())]);
    let line = line.replace("xenstream", env!("CARGO_BIN_EXE_xenstream"));
    Command::new("sh").args(["-c", &line]).current_dir(&directory).output().unwrap()
}

#[test]
fn closed_input_is_an_error() {
    for line in [
        "xenstream verify <&-",
        "xenstream verify - <&-",
        "xenstream verify a.save - <&-",
        "xenstream verify --files-from - <&-",
        "xenstream inspect - <&-",
        "xenstream report - -o out.html <&-",
        "xenstream scrub - out <&-",
        "xenstream convert --plain - out <&-",
        "xenstream relay <&-",
    ] {
        let output = shell(line);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{line}: {stderr}");
        assert!(stderr.contains("redirect standard input"), "{stderr}");
        assert!(output.stdout.is_empty(), "{line}");
    }
}

#[test]
fn closed_output_is_an_error() {
    for line in [
        "xenstream relay <a.save >&-",
        "xenstream scrub a.save - >&-",
        "xenstream convert --plain a.save - >&-",
        "xenstream report a.save -o - >&-",
        "xenstream synth - >&-",
    ] {
        let output = shell(line);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{line}: {stderr}");
        assert!(stderr.contains("standard output"), "{line}: {stderr}");
    }
}

#[test]
fn the_null_device_is_a_choice() {
    for line in ["xenstream relay <a.save >/dev/null", "xenstream scrub a.save - >/dev/null"] {
        assert_eq!(shell(line).status.code(), Some(0), "{line}");
    }
    // Empty, and judged as such.
    assert_eq!(shell("xenstream verify - </dev/null").status.code(), Some(1));
}
