//! Signals: passed on, passed through, left ignored.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;

use signal_hook::consts::{
    SIGABRT, SIGBUS, SIGHUP, SIGINT, SIGIO, SIGKILL, SIGPIPE, SIGQUIT, SIGSEGV, SIGSYS, SIGTERM, SIGUSR1,
    SIGUSR2,
};

use crate::libxl::{Kind, Libxl, Running, fill};
use crate::{broken_guest_of, guest_of};

/// Linux's own.
const SIGSTKFLT: i32 = 16;
const SIGPWR: i32 = 30;

pub(crate) const TESTS: &[(&str, fn())] = &[
    ("signals::they_reach_the_helper_and_we_die_as_it_does", forwarded),
    ("signals::a_helper_that_obeys_sigterm_has_its_say", obeyed),
    ("signals::sigterm_reaches_a_helper_that_wants_it_in_any_case", wanted),
    ("signals::of_whatever_the_helper_dies_we_die", deaths),
    ("signals::a_save_that_stalls_can_be_stopped", stalled),
    ("signals::a_report_that_stalls_can_be_stopped", stalled_report),
    ("signals::an_ignored_sigchld_does_not_hide_the_helper_s_end", ignored_end),
    ("signals::the_helper_does_not_survive_us", killed),
    ("signals::a_helper_whose_parent_is_gone_is_not_started", orphaned),
    ("signals::what_is_ignored_stays_ignored", ignored),
];

/// With the signals as they are by default: what runs the tests may ignore some, and the helper would inherit that.
fn defaults(libxl: Libxl) -> Libxl {
    libxl.with_signals("--default-signal")
}

fn forwarded() {
    for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2] {
        // A file is the real helper's own by the time that it is ready; so is its signal.
        for kind in Kind::ALL {
            let (reader, feeder) = kind.holding(&guest_of(1));
            let mut running = defaults(Libxl::restore(reader)).quirks("waits").start();
            while running.hear() != "ready" {}
            running.signal(signal);
            let ended = running.ended();
            assert_eq!(ended.status.signal(), Some(signal), "{kind:?}: {ended:?}");
            feeder.close();
        }
        let (sink, _consumer) = Kind::Pipe.open();
        let mut running = defaults(Libxl::save(sink, &guest_of(1))).quirks("waits").start();
        while running.hear() != "ready" {}
        running.signal(signal);
        assert_eq!(running.ended().status.signal(), Some(signal));
    }
}

fn obeyed() {
    for kind in Kind::ALL {
        let (reader, feeder) = kind.holding(&guest_of(1));
        let mut running = Libxl::restore(reader).quirks("obeys").start();
        while running.hear() != "ready" {}
        running.signal(SIGTERM);
        let ended = running.ended();
        assert_eq!(ended.status.code(), Some(5), "{kind:?}: {ended:?}");
        assert_eq!(ended.stdout, format!("stopped by {SIGTERM}\n"), "{kind:?}");
        feeder.close();
    }
}

fn wanted() {
    // What Xen's helper does with SIGTERM, the stand-in does too: it handles and unblocks it, whatever it finds.
    for option in ["--ignore-signal=TERM", "--block-signal=TERM", "--block-signal=TERM,CHLD"] {
        for kind in Kind::ALL {
            let (reader, feeder) = kind.holding(&guest_of(1));
            let mut running = Libxl::restore(reader).with_signals(option).quirks("obeys").start();
            while running.hear() != "ready" {}
            running.signal(SIGTERM);
            let ended = running.ended();
            assert_eq!(ended.status.code(), Some(5), "{option}, {kind:?}: {ended:?}");
            feeder.close();
        }
    }
}

fn deaths() {
    for signal in [SIGABRT, SIGBUS, SIGSEGV, SIGPIPE, SIGSTKFLT, SIGIO, SIGPWR, SIGSYS, 34, 40, 64] {
        let (reader, feeder) = Kind::Pipe.holding(&guest_of(1));
        // A signal that is blocked kills nobody: the stand-in sees to it that it is not, and so must we.
        let libxl = Libxl::restore(reader).with_signals(&format!("--block-signal={signal}"));
        let ended = libxl.quirks(&format!("dies of {signal}")).run();
        assert_eq!(ended.status.signal(), Some(signal), "{ended:?}");
        feeder.close();
    }
}

fn stalled() {
    for kind in [Kind::Pipe, Kind::Socket] {
        for (quirks, code, signal) in [("stops", None, Some(SIGTERM)), ("stops fails", Some(5), None)] {
            let (sink, _consumer) = kind.open();
            // The receiver of a migration takes nothing any more.
            fill(&sink);
            let mut running = Libxl::save(sink, &guest_of(3)).quirks(quirks).start();
            running.say("word");
            while running.hear() != "ready" {}
            running.signal(SIGTERM);
            let ended = running.ended();
            assert_eq!((ended.status.code(), ended.status.signal()), (code, signal), "{kind:?}: {ended:?}");
            assert_eq!(ended.stdout, format!("stopped by {SIGTERM}\n"), "{kind:?}");
            assert!(
                ended.stderr.contains("stopped by signal 15 before all of it was"),
                "{kind:?}: {ended:?}"
            );
        }
    }
}

fn stalled_report() {
    let (reader, feeder) = Kind::Pipe.holding(&broken_guest_of(1));
    let (_unread, stderr) = io::pipe().unwrap();
    fill(&stderr);
    let mut running = Libxl::restore(reader).start_with_stderr(stderr);
    let pid = running.hear();
    running.say("word");
    while running.hear() != "complete r=-1" {}
    // Once the real helper has gone, the signal is for nobody but us.
    let process = Path::new("/proc").join(pid.strip_prefix("pid ").unwrap());
    while process.exists() {
        std::thread::yield_now();
    }
    running.signal(SIGTERM);
    assert_eq!(running.status().signal(), Some(SIGTERM));
    feeder.close();
}

fn ignored_end() {
    for kind in Kind::ALL {
        let (reader, feeder) = kind.holding(&guest_of(1));
        let ended = Libxl::restore(reader).with_signals("--ignore-signal=CHLD").run();
        assert_eq!((ended.status.code(), ended.stderr.as_str()), (Some(0), ""), "{kind:?}: {ended:?}");
        feeder.close();
    }
}

fn killed() {
    for kind in [Kind::Pipe, Kind::Socket] {
        let (reader, feeder) = kind.holding(&guest_of(1)[..44]);
        let running = Libxl::restore(reader).quirks("waits").start();
        killed_when_ready(running);
        feeder.close();
        let (sink, _consumer) = kind.open();
        killed_when_ready(Libxl::save(sink, &guest_of(1)).quirks("waits").start());
    }
}

/// Standard input stays open, and its stream can neither be read nor does it end: only a signal ends the helper, and with
/// it its standard output.
fn killed_when_ready(mut running: Running) {
    while running.hear() != "ready" {}
    running.signal(SIGKILL);
    let ended = running.ended();
    assert_eq!((ended.status.signal(), ended.stdout.as_str()), (Some(SIGKILL), ""), "{ended:?}");
}

fn orphaned() {
    let real = std::env::current_exe().unwrap();
    // Whoever it is, it is not the parent of what is started here.
    let ended = Libxl::without(&format!("--become 1 {} --something-else", real.display())).run();
    assert_eq!((ended.status.code(), ended.stdout.as_str()), (Some(2), ""), "{ended:?}");
    let parent = std::process::id();
    let ended = Libxl::without(&format!("--become {parent} {} --something-else", real.display())).run();
    assert!(ended.status.success() && ended.stdout.ends_with("--something-else\n"), "{ended:?}");
}

fn ignored() {
    let (reader, feeder) = Kind::Pipe.holding(&guest_of(1));
    let mut running =
        Libxl::restore(reader).with_signals("--ignore-signal=HUP").quirks("tells waits").start();
    let mask = loop {
        if let Some(mask) = running.hear().strip_prefix("SigIgn:") {
            break u64::from_str_radix(mask.trim(), 16).unwrap();
        }
    };
    assert_eq!(mask & 1, 1, "{mask:x}");
    assert_eq!(running.hear(), "ready");
    running.signal(SIGHUP);
    running.say("go on");
    let ended = running.finish();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    feeder.close();
}
