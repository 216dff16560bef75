//! Stands in for Xen's own helper. At its descriptors it behaves like that one: it reads exactly the libxc stream, or
//! writes one, talks to libxl on standard input and output, and reports what came of it there and not in its exit
//! status.
//!
//! Each word of `STAND_IN` is something out of the ordinary that it does.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufRead, Read, Write};
use std::os::fd::RawFd;
use std::process::{Command, Stdio};

use nix::sys::signal::{self, SigSet};
use signal_hook::consts::{SIGBUS, SIGPIPE, SIGSEGV, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::{emulate_default_handler, raise};

use xenstream_guard::descriptor;

/// The stream that is saved is in the file that this variable names.
pub(crate) const SAVED: &str = "STAND_IN_SAVED";
/// What it does out of the ordinary.
pub(crate) const QUIRKS: &str = "STAND_IN";
/// The first argument of a child of its own, which lives as long as standard input is open.
const HOLD: &str = "--hold";

/// Acts as the stand-in, without returning, if this process is to be one.
pub(crate) fn run_if_asked() {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(|word| word.to_str().unwrap_or_default()).collect();
    match words.as_slice() {
        ["--restore-domain", stream, ..] => restore(stream.parse().unwrap()),
        ["--save-domain", stream, ..] => save(stream.parse().unwrap()),
        ["--something-else", ..] => {
            say(&format!("pid {}", std::process::id()));
            say(&words.join(" "));
        }
        [HOLD] => {
            let _ = io::copy(&mut io::stdin(), &mut io::sink());
        }
        _ => return,
    }
    std::process::exit(0);
}

fn restore(number: RawFd) {
    let mut stream = File::from(descriptor::duplicate(number).unwrap());
    begin(number);
    if quirk("forks") {
        hold();
        return;
    }
    let mut headers = [0; 40];
    let outcome = stream.read_exact(&mut headers).and_then(|()| {
        if quirk("leaves") {
            std::process::exit(3);
        }
        if quirk("aborts") {
            std::process::abort();
        }
        read_records(&mut stream)
    });
    say(if outcome.is_ok() { "complete r=0" } else { "complete r=-1" });
}

/// Records up to END, little-endian ones.
fn read_records(stream: &mut File) -> io::Result<()> {
    loop {
        if quirk("slow") {
            say("next");
            answer();
        }
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

fn save(number: RawFd) {
    let mut stream = File::from(descriptor::duplicate(number).unwrap());
    let saved = fs::read(std::env::var_os(SAVED).unwrap()).unwrap();
    begin(number);
    if quirk("leaves") {
        stream.write_all(&saved[..40]).unwrap();
        if quirk("forks") {
            hold();
        }
        if quirk("fails") {
            say("complete r=-1");
            std::process::exit(0);
        }
        std::process::exit(4);
    }
    let outcome = stream.write_all(&saved);
    if quirk("forks") {
        hold();
    }
    if quirk("stops") {
        stop(if quirk("fails") { 5 } else { 0 });
    }
    say(if outcome.is_ok() { "complete r=0" } else { "complete r=-1" });
}

/// Tells who it is and what it was given, and has a word with libxl.
fn begin(number: RawFd) {
    say(&format!("pid {}", std::process::id()));
    if quirk("tells") {
        let mut open: Vec<String> = fs::read_dir("/proc/self/fd")
            .unwrap()
            .filter_map(|entry| {
                let path = entry.unwrap().path();
                let target = fs::read_link(&path).ok()?;
                let name = path.file_name()?.to_str()?.parse::<RawFd>().ok()?;
                // Its own: the duplicate of the stream, and the directory that is being listed.
                let own = name > number || target.ends_with("fd");
                (!own).then(|| name.to_string())
            })
            .collect();
        open.sort();
        say(&format!("open {}", open.join(" ")));
        let status = fs::read_to_string("/proc/self/status").unwrap();
        say(status.lines().find(|line| line.starts_with("SigIgn:")).unwrap());
    }
    if let Some(signal) =
        std::env::var(QUIRKS).ok().and_then(|quirks| quirks.strip_prefix("dies of ")?.parse().ok())
    {
        // Rust programs ignore this one and handle those, and no other.
        if [SIGPIPE, SIGSEGV, SIGBUS].contains(&signal) {
            emulate_default_handler(signal).unwrap();
        }
        SigSet::empty().thread_set_mask().unwrap();
        raise(signal).unwrap();
    }
    if quirk("waits") {
        say("ready");
        answer();
    }
    if quirk("obeys") {
        stop(5);
    }
    say("callback");
    say(&format!("got {}", answer()));
}

/// Waits for SIGTERM, which it handles and unblocks as Xen's helper does, and ends.
fn stop(status: i32) -> ! {
    let mut signals = Signals::new([SIGTERM]).unwrap();
    SigSet::from(signal::SIGTERM).thread_unblock().unwrap();
    say("ready");
    let signal = signals.forever().next().unwrap();
    say(&format!("stopped by {signal}"));
    std::process::exit(status);
}

/// Leaves a child behind that holds all descriptors but standard output.
fn hold() {
    let child = Command::new(std::env::current_exe().unwrap()).arg(HOLD).stdout(Stdio::null()).spawn();
    drop(child.unwrap());
}

fn quirk(name: &str) -> bool {
    std::env::var(QUIRKS).is_ok_and(|quirks| quirks.split(' ').any(|quirk| quirk == name))
}

fn say(line: &str) {
    // In one piece and at once.
    io::stdout().write_all(format!("{line}\n").as_bytes()).unwrap();
}

fn answer() -> String {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}
