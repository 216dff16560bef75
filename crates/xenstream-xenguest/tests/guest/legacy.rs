//! A stream that the command line names.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;

use crate::manager::{Kind, Manager, STREAM};
use crate::{BEHIND, BROKEN_RULE, broken_guest, guest};

pub(crate) const TESTS: &[(&str, fn())] = &[
    ("legacy::valid_streams_pass_and_what_follows_stays", valid),
    ("legacy::broken_streams_are_refused", broken),
    ("legacy::broken_streams_pass_in_mode_warn", warned),
    ("legacy::all_other_calls_become_the_real_one", others),
    ("legacy::a_call_not_understood_is_refused", unknown),
    ("legacy::a_closed_descriptor_is_an_error", closed),
    ("legacy::an_absent_xenguest_is_an_error", absent),
    ("legacy::sigpipe_stays_ignored", sigpipe),
];

fn restore() -> Manager {
    Manager::new(&format!(
        "-controloutfd 2 -controlinfd 0 -mode hvm_restore -domid 7 -fd {STREAM} -store_port 1 -console_port 2"
    ))
}

fn valid() {
    for kind in Kind::ALL {
        let (mut reader, _feeder) = kind.holding(&[&guest(), BEHIND].concat());
        let ended = restore().stream(reader.try_clone().unwrap()).start().ended();
        assert_eq!(
            (ended.status.code(), &*ended.stdout, &*ended.stderr),
            (Some(0), "result:4 5\n", ""),
            "{kind:?}"
        );
        let mut behind = Vec::new();
        reader.read_to_end(&mut behind).unwrap();
        assert_eq!(behind, BEHIND, "{kind:?}");
    }
}

fn broken() {
    for kind in Kind::ALL {
        let (reader, _feeder) = kind.holding(&broken_guest());
        let ended = restore().stream(reader).start().ended();
        assert_eq!((ended.status.code(), &*ended.stdout), (Some(1), ""), "{kind:?}: {ended:?}");
        let refused = format!("restore of domain 7: refused: {BROKEN_RULE} at offset ");
        assert!(ended.stderr.contains(&refused), "{kind:?}: {ended:?}");
    }
}

fn warned() {
    let (reader, _feeder) = Kind::Pipe.holding(&broken_guest());
    let ended = restore().stream(reader).warning().start().ended();
    assert_eq!((ended.status.code(), &*ended.stdout), (Some(0), "result:4 5\n"), "{ended:?}");
    assert!(ended.stderr.contains("passed, though it breaks a rule"), "{ended:?}");
}

fn others() {
    for arguments in [
        "-mode hvm_save -domid 7 -fd 9 -live",
        "-mode hvm_build -image hvmloader -new -domid 7",
        "-mode resume_slow",
    ] {
        let running = Manager::new(arguments).start();
        let pid = running.pid();
        let ended = running.ended();
        assert_eq!(ended.stdout, format!("pid {pid}\n{arguments}\n"), "{ended:?}");
        assert_eq!((ended.status.code(), &*ended.stderr), (Some(0), ""));
    }
}

fn unknown() {
    let arguments = format!("-mode restore -domid 7 -fd {STREAM} -new -mode restore");
    for (manager, status) in [(Manager::new(&arguments), 2), (Manager::new(&arguments).warning(), 0)] {
        let (reader, _feeder) = Kind::Pipe.holding(&broken_guest());
        let ended = manager.stream(reader).start().ended();
        assert_eq!(ended.status.code(), Some(status), "{ended:?}");
        assert!(ended.stderr.contains("the arguments are those of no known xenguest"), "{ended:?}");
    }
}

fn closed() {
    let ended = restore().start().ended();
    assert_eq!((ended.status.code(), &*ended.stdout), (Some(2), ""), "{ended:?}");
    assert!(ended.stderr.contains("cannot use descriptor 9"), "{ended:?}");
}

fn absent() {
    for manager in [restore(), Manager::listening(), Manager::new("-mode hvm_build")] {
        let ended = manager.set("XENSTREAM_XENGUEST_REAL", "/nonexistent/xenguest").start().ended();
        assert_eq!((ended.status.code(), &*ended.stdout), (Some(2), ""), "{ended:?}");
        assert!(ended.stderr.contains("cannot start /nonexistent/xenguest"), "{ended:?}");
    }
}

fn sigpipe() {
    for manager in [restore(), Manager::new("-mode hvm_save"), Manager::listening()] {
        let script = manager.directory.path().join("xenguest");
        fs::write(&script, "#!/bin/sh\nexec grep SigIgn: /proc/self/status\n").unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        let (reader, _feeder) = Kind::Pipe.holding(&[]);
        let ended = manager.set("XENSTREAM_XENGUEST_REAL", script).stream(reader).start().ended();
        let mask = ended.stdout.trim().strip_prefix("SigIgn:").unwrap().trim();
        let mask = u64::from_str_radix(mask, 16).unwrap();
        assert_ne!(mask & 1 << (signal_hook::consts::SIGPIPE - 1), 0, "{ended:?}");
    }
}
