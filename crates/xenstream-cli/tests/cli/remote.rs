//! URLs on the command line, which another program opens.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

#[test]
fn urls_are_handed_over_to_xenstream_remote() {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("xenstream");
    fs::copy(env!("CARGO_BIN_EXE_xenstream"), &program).unwrap();
    let run = |name: &str| Command::new(&program).args(["verify", "-q", name]).output().unwrap();
    // Without the other program, it is the name of a file.
    let output = run("s3://bucket/key");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("No such file or directory"));

    let remote = directory.path().join("xenstream-remote");
    fs::write(&remote, "#!/bin/sh\necho \"$@\"\nexit 3\n").unwrap();
    fs::set_permissions(&remote, fs::Permissions::from_mode(0o755)).unwrap();
    for name in ["s3://bucket/key", "https://host/path", "http://host/path"] {
        let output = run(name);
        assert_eq!(
            (output.status.code(), output.stdout),
            (Some(3), format!("verify -q {name}\n").into_bytes())
        );
    }
    assert_eq!(run("./s3:/bucket").status.code(), Some(2));
}
