//! The program, with credentials in its environment.

use std::fs;
use std::process::{Command, Output};

use crate::image;
use crate::server::{Fate, Server};

fn program(arguments: &[&str], server: &Server) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xenstream-remote"));
    command.args(arguments).env_clear();
    command.env("AWS_ENDPOINT_URL", &server.address);
    command.env("AWS_ACCESS_KEY_ID", "the-key").env("AWS_SECRET_ACCESS_KEY", "the-secret");
    command.env("XENSTREAM_AUTHORIZATION", "Bearer the-token");
    command.output().unwrap()
}

#[test]
fn urls_may_stand_where_files_may() {
    let server = Server::new(image(2), |_| Fate::Good);
    let url = format!("{}?signature=the-signature", server.url());
    for name in [&*url, "s3://bucket/guest.save"] {
        for command in ["verify", "inspect", "report"] {
            let directory = tempfile::tempdir().unwrap();
            let page = directory.path().join("page.html");
            let mut arguments = vec![command, name];
            if command == "report" {
                arguments.extend(["-o", page.to_str().unwrap()]);
            }
            let output = program(&arguments, &server);
            let (stdout, stderr) =
                (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            assert_eq!((output.status.code(), &*stderr), (Some(0), ""), "{arguments:?}");
            assert!(stdout.contains("guest.save") && stdout.contains(": valid: libxc, hvm"), "{stdout}");
            assert!(!stdout.contains("the-"), "{stdout}");
            if command == "report" {
                let page = fs::read_to_string(page).unwrap();
                assert!(page.contains("guest.save") && !page.contains("the-signature"));
            }
        }
    }
    let heads = server.heads();
    let authorized = heads.iter().filter(|head| head.contains("authorization: Bearer the-token")).count();
    // Only requests to the web server have it.
    assert!(authorized > 0 && authorized < heads.len());
}

#[test]
fn urls_may_be_listed() {
    let server = Server::new(image(1), |_| Fate::Good);
    let list = tempfile::NamedTempFile::new().unwrap();
    fs::write(list.path(), format!("{}\ns3://bucket/key\n", server.url())).unwrap();
    let output = program(&["verify", "--json", "--files-from", list.path().to_str().unwrap()], &server);
    let lines: Vec<serde_json::Value> =
        serde_json::Deserializer::from_slice(&output.stdout).into_iter().collect::<Result<_, _>>().unwrap();
    assert_eq!((&lines[0]["path"], &lines[1]["path"]), (&server.url().into(), &"s3://bucket/key".into()));
    assert!(lines[..2].iter().all(|line| line["verdict"] == "valid"), "{lines:?}");
}

#[test]
fn failures_name_the_object() {
    let server = Server::new(image(1), |_| Fate::Status(404));
    for (command, name, expected) in [
        ("verify", "s3://bucket/key", "cannot open s3://bucket/key: the server answers 404 (not found)"),
        ("inspect", "s3://bucket/key", "the server answers 404 (not found)"),
        ("verify", "https://user:the-password@host/x", "cannot open https://host/x: the URL has cred"),
        (
            "verify",
            "http://192.0.2.1/x",
            "XENSTREAM_AUTHORIZATION is set, and http:// would send it unencrypted",
        ),
    ] {
        let output = program(&[command, name], &server);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(expected) && !stderr.contains("the-"), "{stderr}");
    }
}
