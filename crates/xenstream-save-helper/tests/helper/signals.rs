//! Signals: passed on, passed through, left ignored.

use std::os::unix::process::ExitStatusExt;

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};

use crate::guest_of;
use crate::libxl::{Kind, Libxl};

pub(crate) const TESTS: &[(&str, fn())] = &[
    ("signals::they_reach_the_helper_and_we_die_as_it_does", forwarded),
    ("signals::a_helper_that_obeys_sigterm_has_its_say", obeyed),
    ("signals::what_is_ignored_stays_ignored", ignored),
];

fn forwarded() {
    for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2] {
        // A file is the real helper's own by the time that it is ready; so is its signal.
        for kind in Kind::ALL {
            let (reader, feeder) = kind.holding(&guest_of(1));
            let mut running = Libxl::restore(reader).quirks("waits").start();
            while running.hear() != "ready" {}
            running.signal(signal);
            let ended = running.ended();
            assert_eq!(ended.status.signal(), Some(signal), "{kind:?}: {ended:?}");
            feeder.close();
        }
        let (sink, _consumer) = Kind::Pipe.open();
        let mut running = Libxl::save(sink, &guest_of(1)).quirks("waits").start();
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

fn ignored() {
    let (reader, feeder) = Kind::Pipe.holding(&guest_of(1));
    let mut running = Libxl::restore(reader).after("trap '' HUP").quirks("tells waits").start();
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
