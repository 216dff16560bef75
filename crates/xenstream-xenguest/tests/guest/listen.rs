//! A stream that arrives over the control socket.

use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;

use serde_json::json;
use signal_hook::consts::{SIGABRT, SIGKILL, SIGTERM};

use crate::manager::{Client, Ended, Kind, Manager, Running};
use crate::stand_in::SAVED;
use crate::{BEHIND, BROKEN_RULE, broken_guest, guest};

pub(crate) const TESTS: &[(&str, fn())] = &[
    ("listen::valid_streams_pass_and_what_follows_stays", valid),
    ("listen::events_come_through_whole", chatty),
    ("listen::a_broken_stream_fails_with_its_rule", broken),
    ("listen::a_torn_stream_fails", torn),
    ("listen::a_broken_stream_passes_in_mode_warn", warned),
    ("listen::no_success_follows_a_refusal", claimed),
    ("listen::a_save_gets_the_descriptor_itself", saved),
    ("listen::migrate_init_without_a_descriptor_passes", no_descriptor),
    ("listen::two_descriptors_are_refused", two_descriptors),
    ("listen::a_descriptor_elsewhere_is_refused", stray_descriptor),
    ("listen::a_restore_after_a_save_is_refused", after_save),
    ("listen::a_second_migrate_init_may_be_refused", second_init),
    ("listen::garbage_ends_the_connection", garbage),
    ("listen::unknown_commands_are_refused", unknown),
    ("listen::commands_may_arrive_in_pieces", pieces),
    ("listen::several_clients_share_the_stream", clients),
    ("listen::a_client_that_leaves_is_no_hindrance", leaves),
    ("listen::xenguest_without_a_socket_is_refused", homeless),
    ("listen::xenguest_that_ends_early_is_passed_on", silent),
    ("listen::of_whatever_xenguest_dies_we_die", died),
    ("listen::signals_are_forwarded", forwarded),
    ("listen::xenguest_does_not_survive_us", killed),
];

fn init(client: &mut Client, stream: &File) {
    client.do_call("migrate_init", &[stream.as_fd()]);
    client.do_call("set_args", &[]);
}

fn quit(mut client: Client, running: Running) -> Ended {
    client.do_call("quit", &[]);
    let ended = running.ended();
    assert!(!ended.leaves_socket, "{ended:?}");
    ended
}

fn is_quiet(ended: &Ended) -> bool {
    ended.status.code() == Some(0) && ended.stderr.is_empty()
}

fn completed() -> Option<serde_json::Value> {
    Some(json!({ "event": "MIGRATION", "data": { "status": "completed", "result": "4 5" } }))
}

/// The text of the error that an answer is.
fn error(answer: Option<serde_json::Value>) -> String {
    let answer = answer.unwrap();
    answer["error"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

fn valid() {
    for kind in Kind::ALL {
        let (mut reader, _feeder) = kind.holding(&[&guest(), BEHIND].concat());
        let running = Manager::listening().start_ready();
        let mut client = running.connect();
        init(&mut client, &reader);
        client.do_call("restore", &[]);
        assert_eq!(client.completed(), completed(), "{kind:?}");
        let mut behind = [0; BEHIND.len()];
        reader.read_exact(&mut behind).unwrap();
        assert_eq!(behind, BEHIND, "{kind:?}");
        assert!(is_quiet(&quit(client, running)));
    }
}

fn chatty() {
    let (reader, _feeder) = Kind::Socket.holding(&guest());
    let running = Manager::listening().quirks("chatty").start_ready();
    let mut client = running.connect();
    init(&mut client, &reader);
    client.do_call("restore", &[]);
    assert_eq!(client.completed(), completed());
    // One before each answer, and one before the answer that was not passed on.
    assert_eq!(client.events.len(), 4, "{:?}", client.events);
    let ended = quit(client, running);
    assert!(is_quiet(&ended) && ended.stdout == "All done\n", "{ended:?}");
}

fn broken() {
    for kind in Kind::ALL {
        let (reader, _feeder) = kind.holding(&broken_guest());
        let running = Manager::listening().start_ready();
        let mut client = running.connect();
        init(&mut client, &reader);
        client.do_call("restore", &[]);
        let refused = format!("restore of domain 7: refused: {BROKEN_RULE} at offset ");
        if let Some(answer) = client.completed() {
            assert!(error(Some(answer)).starts_with(&refused), "{kind:?}");
            assert_eq!(client.answer(), None);
        }
        let ended = running.ended();
        assert_eq!(ended.status.code(), Some(1), "{kind:?}: {ended:?}");
        assert!(ended.stderr.contains(&refused), "{kind:?}: {ended:?}");
        assert!(ended.stderr.contains("xenguest: xc_domain_restore"), "{kind:?}: {ended:?}");
    }
}

fn torn() {
    for bytes in [&guest()[..3000], b"", b"garbage, but enough of it to be no header"] {
        let (reader, _feeder) = Kind::Pipe.holding(bytes);
        let running = Manager::listening().start_ready();
        let mut client = running.connect();
        init(&mut client, &reader);
        client.do_call("restore", &[]);
        let answer = client.completed();
        assert!(answer.is_none_or(|answer| answer.get("error").is_some()));
        let ended = running.ended();
        assert!(ended.status.code() == Some(1) && ended.stderr.contains("refused: "), "{ended:?}");
    }
}

fn warned() {
    let (reader, _feeder) = Kind::Pipe.holding(&broken_guest());
    let running = Manager::listening().warning().start_ready();
    let mut client = running.connect();
    init(&mut client, &reader);
    client.do_call("restore", &[]);
    assert_eq!(client.completed(), completed());
    let ended = quit(client, running);
    assert!(ended.stderr.contains("passed, though it breaks a rule"), "{ended:?}");
}

fn claimed() {
    for bytes in [broken_guest(), guest()[..3000].to_vec()] {
        let (reader, _feeder) = Kind::Pipe.holding(&bytes);
        let running = Manager::listening().quirks("claims").start_ready();
        let mut client = running.connect();
        init(&mut client, &reader);
        client.do_call("restore", &[]);
        assert!(error(client.completed()).contains("refused: "));
        assert_eq!(client.answer(), None);
        let ended = quit(running.connect(), running);
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    }
}

fn saved() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let running = Manager::listening().start_ready();
    let mut client = running.connect();
    client.do_call("migrate_init", &[writer.as_fd()]);
    drop(writer);
    for command in ["set_args", "track_dirty", "migrate_progress", "migrate_pause", "migrate_paused"] {
        client.do_call(command, &[]);
    }
    client.do_call("migrate_nonlive", &[]);
    assert!(client.completed().unwrap()["data"]["status"] == "completed");
    let mut bytes = [0; SAVED.len()];
    reader.read_exact(&mut bytes).unwrap();
    assert_eq!(bytes, SAVED);
    assert!(is_quiet(&quit(client, running)));
    // Nobody holds the other end.
    assert_eq!(reader.read(&mut bytes).unwrap(), 0);
}

fn no_descriptor() {
    let running = Manager::listening().start_ready();
    let mut client = running.connect();
    client.do_call("migrate_init", &[]);
    assert_eq!(error(client.call("restore", &[])), "Missing options");
    assert!(is_quiet(&quit(client, running)));
}

fn two_descriptors() {
    let (reader, _feeder) = Kind::Pipe.holding(&guest());
    let running = Manager::listening().start_ready();
    let mut client = running.connect();
    let answer = error(client.call("migrate_init", &[reader.as_fd(), reader.as_fd()]));
    assert!(answer.contains("2 descriptors came with migrate_init"), "{answer}");
    let answer = error(client.call("restore", &[]));
    assert!(answer.contains("restore came for a descriptor that is not verified"), "{answer}");
    assert_eq!(quit(client, running).status.code(), Some(2));

    let running = Manager::listening().warning().start_ready();
    let mut client = running.connect();
    client.do_call("migrate_init", &[reader.as_fd(), reader.as_fd()]);
    client.do_call("restore", &[]);
    assert_eq!(client.completed(), completed());
    let ended = quit(client, running);
    assert!(ended.status.success() && ended.stderr.contains("passed without a verdict"), "{ended:?}");
}

fn stray_descriptor() {
    let (reader, _feeder) = Kind::Pipe.holding(&guest());
    let running = Manager::listening().start_ready();
    let mut client = running.connect();
    assert!(
        error(client.call("set_args", &[reader.as_fd()]))
            .contains("a descriptor came with a command that has none")
    );
    assert_eq!(quit(client, running).status.code(), Some(2));
}

fn after_save() {
    let (_reader, writer) = std::io::pipe().unwrap();
    let running = Manager::listening().start_ready();
    let mut client = running.connect();
    client.do_call("migrate_init", &[writer.as_fd()]);
    client.do_call("migrate_nonlive", &[]);
    client.completed().unwrap();
    assert!(error(client.call("restore", &[])).contains("not verified"));
    // Another descriptor is another stream.
    let (reader, _feeder) = Kind::Pipe.holding(&guest());
    client.do_call("migrate_init", &[reader.as_fd()]);
    client.do_call("restore", &[]);
    assert_eq!(client.completed(), completed());
    assert_eq!(quit(client, running).status.code(), Some(2));
}

fn second_init() {
    let (reader, _feeder) = Kind::Pipe.holding(&guest());
    let running = Manager::listening().quirks("refuses").start_ready();
    let mut client = running.connect();
    client.do_call("migrate_init", &[reader.as_fd()]);
    assert_eq!(error(client.call("restore", &[])), "once only");
    assert!(error(client.call("restore", &[])).contains("not verified"));
    assert_eq!(quit(client, running).status.code(), Some(2));
}

fn garbage() {
    for text in [
        "restore\n",
        "[\"restore\"]",
        "{\"execute\":\"set_args\",\"execute\":\"restore\"}",
        "{'execute':'quit'}",
    ] {
        let running = Manager::listening().start_ready();
        let mut client = running.connect();
        client.send(text.as_bytes(), &[]);
        assert!(error(client.answer()).contains("what is on the control socket is no command"), "{text}");
        assert_eq!(client.answer(), None, "{text}");
        assert_eq!(quit(running.connect(), running).status.code(), Some(2), "{text}");
    }
    let running = Manager::listening().warning().start_ready();
    let mut client = running.connect();
    client.send(b"restore\n", &[]);
    assert_eq!(error(client.answer()), "garbage");
    assert!(quit(running.connect(), running).status.success());
}

fn unknown() {
    let running = Manager::listening().start_ready();
    let mut client = running.connect();
    let answer = error(client.call("migrate_postcopy", &[]));
    assert!(answer.contains("an unknown command came: { \"execute\" : \"migrate_postcopy\"}"), "{answer}");
    assert_eq!(quit(client, running).status.code(), Some(2));

    let running = Manager::listening().warning().start_ready();
    let mut client = running.connect();
    assert_eq!(error(client.call("migrate_postcopy", &[])), "unknown command");
    assert!(quit(client, running).status.success());
}

fn pieces() {
    let (reader, _feeder) = Kind::Pipe.holding(&guest());
    let running = Manager::listening().start_ready();
    let mut client = running.connect();
    client.do_call("set_args", &[]);
    // Two commands at once, and the descriptor with the second; then one byte by byte.
    client.send(b"{\"execute\":\"set_args\"}\n{\"execute\":\"migrate_init\"}", &[reader.as_fd()]);
    for _ in 0..2 {
        assert_eq!(client.answer(), Some(json!({ "return": {} })));
    }
    for byte in b"{\"execute\":\"restore\"}" {
        client.send(&[*byte], &[]);
    }
    assert_eq!(client.answer(), Some(json!({ "return": {} })));
    assert_eq!(client.completed(), completed());
    assert!(is_quiet(&quit(client, running)));
}

fn clients() {
    let (reader, _feeder) = Kind::Pipe.holding(&broken_guest());
    let running = Manager::listening().quirks("claims").start_ready();
    let (mut first, mut second) = (running.connect(), running.connect());
    init(&mut first, &reader);
    second.do_call("restore", &[]);
    assert!(error(second.completed()).contains(BROKEN_RULE));
    first.do_call("set_args", &[]);
    assert_eq!(quit(first, running).status.code(), Some(1));
}

fn leaves() {
    let (reader, _feeder) = Kind::Pipe.holding(&guest());
    let running = Manager::listening().start_ready();
    let mut client = running.connect();
    init(&mut client, &reader);
    client.do_call("restore", &[]);
    drop(client);
    let mut other = running.connect();
    other.do_call("set_args", &[]);
    assert!(quit(other, running).status.success());
}

fn homeless() {
    let ended = Manager::listening().quirks("homeless").start().ended_by_itself();
    assert_eq!((ended.status.code(), &*ended.stdout), (Some(2), ""), "{ended:?}");
    assert!(ended.stderr.contains("xenguest listens at 0 control sockets"), "{ended:?}");
    let ended = Manager::listening().quirks("homeless").warning().start_ready().ended();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
}

fn silent() {
    let ended = Manager::listening().quirks("silent").start().ended();
    assert!(is_quiet(&ended) && ended.stdout.is_empty(), "{ended:?}");
}

fn died() {
    let (reader, _feeder) = Kind::Pipe.holding(&guest());
    let running = Manager::listening().quirks("aborts").start_ready();
    let mut client = running.connect();
    init(&mut client, &reader);
    client.do_call("restore", &[]);
    assert_eq!(client.completed(), None);
    let ended = running.ended();
    assert_eq!(ended.status.signal(), Some(SIGABRT), "{ended:?}");
}

fn forwarded() {
    let running = Manager::listening().start_ready();
    let mut client = running.connect();
    client.do_call("set_args", &[]);
    running.signal(SIGTERM);
    assert_eq!(client.answer(), None);
    let ended = running.ended();
    assert_eq!((ended.status.signal(), ended.leaves_socket), (Some(SIGTERM), false), "{ended:?}");
}

fn killed() {
    // The stream never ends, nor does the control input close: only a signal ends the real one, and its output with it.
    let (reader, _writer) = std::io::pipe().unwrap();
    let running = Manager::listening().start_ready();
    let mut client = running.connect();
    client.do_call("migrate_init", &[reader.as_fd()]);
    client.do_call("restore", &[]);
    running.signal(SIGKILL);
    assert_eq!(client.completed(), None);
    assert_eq!(running.ended().status.signal(), Some(SIGKILL));
}
