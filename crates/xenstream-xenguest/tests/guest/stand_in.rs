//! Stands in for the real xenguest. At its descriptors it behaves like that one: it reads exactly the libxc stream, serves
//! a control socket, and ends with status 1 when a restore fails.
//!
//! Each word of `STAND_IN` is something out of the ordinary that it does.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;
use xenstream_guard::descriptor;

use crate::socket;

/// Where it listens.
pub(crate) const SOCKET: &str = "STAND_IN_SOCKET";
/// What it does out of the ordinary.
pub(crate) const QUIRKS: &str = "STAND_IN";
/// What it saves.
pub(crate) const SAVED: &[u8] = b"a saved domain";

/// Acts as the stand-in, without returning, if this process is to be one.
pub(crate) fn run_if_asked() {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(|word| word.to_str().unwrap_or_default()).collect();
    let value =
        |name: &str| words.iter().position(|word| *word == name).and_then(|at| words.get(at + 1).copied());
    match value("-mode") {
        Some("listen") => listen(),
        Some("restore" | "hvm_restore") => {
            let number: RawFd = value("-fd").unwrap().parse().unwrap();
            restore(File::from(descriptor::duplicate(number).unwrap()));
            say("result:4 5\n");
        }
        Some(_) => say(&format!("pid {}\n{}\n", std::process::id(), words.join(" "))),
        None => return,
    }
    std::process::exit(0);
}

/// Reads a stream up to END. If that fails, the process ends.
fn restore(mut stream: File) {
    let outcome = stream.read_exact(&mut [0; 40]).and_then(|()| {
        if quirk("aborts") {
            std::process::abort();
        }
        read_records(&mut stream)
    });
    if let Err(error) = outcome
        && !quirk("claims")
    {
        eprintln!("xenguest: xc_domain_restore: {error}");
        std::process::exit(1);
    }
}

/// Records up to END, little-endian ones.
fn read_records(stream: &mut File) -> io::Result<()> {
    loop {
        let mut header = [0; 8];
        stream.read_exact(&mut header)?;
        let [kind, length] = [0, 4].map(|at| u32::from_le_bytes(header[at..at + 4].try_into().unwrap()));
        let rest = u64::from(length).next_multiple_of(8);
        if io::copy(&mut stream.take(rest), &mut io::sink())? < rest {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if kind == 0 {
            return Ok(());
        }
    }
}

fn listen() {
    if quirk("silent") {
        return;
    }
    let path = std::env::var_os(SOCKET).unwrap();
    let listener = (!quirk("homeless")).then(|| UnixListener::bind(&path).unwrap());
    say("Ready\n");
    if quirk("chatty") {
        say("All done\n");
    }
    let Some(listener) = listener else {
        // As long as its control input is open.
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        return;
    };
    let stream = Arc::new(Mutex::new(None));
    for client in listener.incoming() {
        let stream = Arc::clone(&stream);
        thread::spawn(move || serve(&client.unwrap(), &stream));
    }
}

fn serve(client: &UnixStream, stream: &Mutex<Option<OwnedFd>>) {
    let (mut text, mut descriptors, mut bytes) = (Vec::new(), Vec::new(), [0; 512]);
    loop {
        let (n, more) = socket::receive(client, &mut bytes).unwrap();
        if n == 0 {
            return;
        }
        text.extend_from_slice(&bytes[..n]);
        descriptors.extend(more);
        let mut objects = serde_json::Deserializer::from_slice(&text).into_iter::<Value>();
        let mut commands = Vec::new();
        for object in objects.by_ref() {
            match object {
                Ok(object) => commands.push(object),
                Err(error) if error.is_eof() => break,
                Err(_) => {
                    answer(client, "{ \"error\" : \"garbage\" }\n");
                    return;
                }
            }
        }
        let read = objects.byte_offset();
        text.drain(..read);
        for command in commands {
            obey(command["execute"].as_str().unwrap_or_default(), client, stream, &mut descriptors);
        }
    }
}

fn obey(command: &str, client: &UnixStream, stream: &Mutex<Option<OwnedFd>>, descriptors: &mut Vec<OwnedFd>) {
    const RETURN: &str = "{ \"return\" : {} }\n";
    let completed = |client: &UnixStream, result: &str| {
        let data = format!("{{ \"status\" : \"completed\", \"result\" : \"{result}\" }}");
        answer(client, &format!("{{ \"event\" : \"MIGRATION\", \"data\" : {data} }}\n"));
    };
    if quirk("chatty") {
        answer(client, "{ \"event\" : \"MIGRATION\", \"data\" : ");
        answer(client, "{ \"sent\" : 1 } }\n");
    }
    match command {
        "migrate_init" if quirk("refuses") && stream.lock().unwrap().is_some() => {
            answer(client, "{ \"error\" : \"once only\" }\n");
        }
        "migrate_init" => {
            *stream.lock().unwrap() = descriptors.drain(..).next();
            answer(client, RETURN);
        }
        "restore" => {
            let Some(stream) = stream.lock().unwrap().take() else {
                answer(client, "{ \"error\" : \"Missing options\" }\n");
                return;
            };
            answer(client, RETURN);
            let client = client.try_clone().unwrap();
            thread::spawn(move || {
                restore(stream.into());
                completed(&client, "4 5");
            });
        }
        "migrate_nonlive" => {
            answer(client, RETURN);
            let stream = stream.lock().unwrap().as_ref().unwrap().as_fd().try_clone_to_owned().unwrap();
            File::from(stream).write_all(SAVED).unwrap();
            completed(client, "0 0");
        }
        "set_args" | "track_dirty" | "migrate_pause" | "migrate_paused" | "migrate_progress" => {
            answer(client, RETURN);
        }
        "migrate_abort" => {
            answer(client, RETURN);
            std::process::abort();
        }
        "quit" => {
            answer(client, RETURN);
            std::fs::remove_file(std::env::var_os(SOCKET).unwrap()).unwrap();
            std::process::exit(0);
        }
        _ => answer(client, "{ \"error\" : \"unknown command\" }\n"),
    }
}

fn answer(mut client: &UnixStream, text: &str) {
    // It may have gone.
    let _ = client.write_all(text.as_bytes());
}

fn quirk(name: &str) -> bool {
    std::env::var(QUIRKS).is_ok_and(|quirks| quirks.split(' ').any(|quirk| quirk == name))
}

fn say(text: &str) {
    // In one piece and at once.
    io::stdout().write_all(text.as_bytes()).unwrap();
    io::stdout().flush().unwrap();
}
