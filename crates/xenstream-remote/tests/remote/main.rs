//! Objects on a server that misbehaves, and the program on one that does not.

mod program;
mod server;

use std::thread;
use std::time::Duration;

use xenstream::{Input, Options, ReadAt, Report, verify, verify_slice};
use xenstream_remote::{Credentials, Error, Object, Patience};
use xenstream_synth::{Page, Part, libxc, valid};

use server::{Fate, Server};

/// A guest with this many batches of pages.
fn image(batches: u64) -> Vec<u8> {
    let part = Part::libxc(xenstream::wire::libxc::types::X86_TSC_INFO);
    let first = 0x15;
    libxc::batches(first..first + 1024 * batches, Page::normal)
        .fold(valid::hvm(), |stream, batch| stream.before(part, batch))
        .bytes()
}

fn patience() -> Patience {
    let mut patience = Patience::default();
    patience.pause = Duration::from_millis(1);
    patience
}

fn open(server: &Server) -> Result<Object, Error> {
    Object::open(&server.url(), &Credentials::default(), patience())
}

fn verified(object: &Object) -> Result<Report, xenstream::Error> {
    verify(Input::Positioned(object), &Options::default(), &mut ())
}

/// A server on which the first request is good, and the others fare like this.
fn later(fate: impl Fn(u64) -> Fate + Send + Sync + 'static) -> Server {
    Server::new(image(8), move |number| if number == 0 { Fate::Good } else { fate(number) })
}

/// The message about an object of which only the first request is good.
fn error_of(fate: Fate) -> String {
    let server = later(move |_| fate);
    let object = open(&server).unwrap();
    verified(&object).unwrap_err().to_string()
}

#[test]
fn verdicts_are_those_of_the_file() {
    let valid = image(8);
    let cut = valid[..valid.len() / 2].to_vec();
    for bytes in [valid, cut, b"not an image".to_vec(), Vec::new()] {
        let expected = verify_slice(&bytes, &Options::default()).unwrap();
        let server = Server::new(bytes, |_| Fate::Good);
        let report = verified(&open(&server).unwrap()).unwrap();
        assert_eq!(report.violation(), expected.violation());
        assert_eq!(report.summary, expected.summary);
    }
}

#[test]
fn only_headers_are_requested() {
    let bytes = image(16);
    let size = bytes.len() as u64;
    let server = Server::new(bytes, |_| Fate::Good);
    assert!(verified(&open(&server).unwrap()).unwrap().is_valid());
    // The start and the end in pieces of 64 KiB, and a read for each batch.
    assert!(server.bytes() < size / 100, "{} of {size}", server.bytes());
    assert!(server.requests() < 16 + 12, "{}", server.requests());
    let heads = server.heads();
    assert!(!heads[0].contains("if-match"), "{}", heads[0]);
    assert!(heads[1..].iter().all(|head| head.contains("if-match: \"one\"")), "{heads:?}");
}

#[test]
fn slow_servers_get_several_requests_at_a_time() {
    let slow = |_| {
        thread::sleep(Duration::from_millis(2));
        Fate::Good
    };
    let server = Server::new(image(64), slow);
    assert!(verified(&open(&server).unwrap()).unwrap().is_valid());
    assert!(server.most() > 4, "{}", server.most());
}

#[test]
fn temporary_failures_are_tried_again() {
    let fates = [
        Fate::Status(500),
        Fate::Status(503),
        Fate::Busy(429),
        Fate::Busy(503),
        Fate::Reset,
        Fate::Short,
        Fate::NotHttp,
    ];
    let server = Server::new(image(8), move |number| {
        // Each second one is good.
        if number % 2 == 1 { Fate::Good } else { fates[number as usize / 2 % fates.len()] }
    });
    assert!(verified(&open(&server).unwrap()).unwrap().is_valid());
    assert!(server.requests() > 2 * 8, "{}", server.requests());
}

#[test]
fn short_answers_are_completed() {
    let server = later(|_| Fate::Half);
    assert!(verified(&open(&server).unwrap()).unwrap().is_valid());
}

#[test]
fn failures_that_last_are_errors() {
    for (fate, expected) in [
        (Fate::Status(500), "the server answers 500"),
        (Fate::Busy(503), "the server answers 503 (too many requests)"),
        (Fate::Reset, ""),
        (Fate::Short, ""),
    ] {
        let message = error_of(fate);
        assert!(
            message.contains(expected) && message.contains("cannot read at offset"),
            "{fate:?}: {message}"
        );
        let server = Server::new(image(1), move |_| fate);
        open(&server).unwrap_err();
        assert_eq!(server.requests(), u64::from(patience().tries), "{fate:?}");
    }
}

#[test]
fn lasting_errors_are_not_tried_again() {
    for (status, hint) in [(400, "400"), (403, "credentials"), (404, "not found")] {
        let server = Server::new(image(1), move |_| Fate::Status(status));
        let error = open(&server).unwrap_err();
        assert!(matches!(error, Error::Status { status: found } if found == status), "{error}");
        assert!(error.to_string().contains(hint), "{error}");
        assert_eq!(server.requests(), 1);
    }
}

#[test]
fn a_changed_object_is_never_a_verdict() {
    for fate in [Fate::NewVersion, Fate::Ignorant, Fate::Grown] {
        let message = error_of(fate);
        assert!(message.contains("the object changed while it was read"), "{fate:?}: {message}");
    }
    // In its midst, too, while several requests are under way.
    let changed = |number| {
        thread::sleep(Duration::from_millis(1));
        if number < 30 { Fate::Good } else { Fate::NewVersion }
    };
    let server = Server::new(image(64), changed);
    assert!(verified(&open(&server).unwrap()).is_err());
}

#[test]
fn a_server_without_ranges_is_refused() {
    let server = Server::new(image(1), |_| Fate::Whole);
    assert!(matches!(open(&server), Err(Error::NoRanges)));
    assert!(error_of(Fate::Whole).contains("does not support range requests"));
}

#[test]
fn a_server_without_versions_is_refused() {
    let server = Server::new(image(1), |_| Fate::Nameless);
    assert!(matches!(open(&server), Err(Error::NoVersion)));
}

#[test]
fn answers_that_contradict_themselves_are_errors() {
    for fate in [Fate::Long, Fate::Shifted] {
        let message = error_of(fate);
        assert!(message.contains("makes no sense"), "{fate:?}: {message}");
    }
    assert!(error_of(Fate::Encoded).contains("content encoding br"));
}

#[test]
fn redirections_are_followed() {
    let server = Server::new(image(1), |number| if number % 2 == 0 { Fate::Redirect } else { Fate::Good });
    assert!(verified(&open(&server).unwrap()).unwrap().is_valid());
    assert!(matches!(open(&Server::new(image(1), |_| Fate::Redirect)), Err(Error::Unreachable(_))));
}

#[test]
fn sequential_reads_grow() {
    const SIZE: u64 = 40 << 20;
    let server = Server::new(vec![7; SIZE as usize], |_| Fate::Good);
    let object = open(&server).unwrap();
    let (mut piece, mut offset) = (vec![0; 64 << 10], 0);
    while offset < SIZE {
        let n = object.read_at(&mut piece, offset).unwrap();
        assert!(n > 0);
        offset += n as u64;
    }
    assert!(server.requests() < 30, "{}", server.requests());
}

#[test]
fn requests_to_a_store_are_signed() {
    let server = Server::new(image(2), |_| Fate::Good);
    let credentials = Credentials::for_store(&server.address, "the-key", "the-secret");
    let object = Object::open("s3://bucket/a b/guest.save", &credentials, patience()).unwrap();
    assert!(verified(&object).unwrap().is_valid());
    for head in server.heads() {
        assert!(head.starts_with("GET /bucket/a%20b/guest.save?"), "{head}");
        assert!(head.contains("X-Amz-Credential=the-key%2F") && head.contains("X-Amz-Signature="), "{head}");
        assert!(!head.contains("the-secret"));
    }
}

#[test]
fn errors_do_not_show_signatures() {
    for fate in [Fate::Status(403), Fate::Reset, Fate::NotHttp, Fate::Redirect, Fate::Whole] {
        let server = Server::new(image(1), move |_| fate);
        let credentials = Credentials::for_store(&server.address, "the-key", "the-secret");
        let error = Object::open("s3://bucket/key", &credentials, patience()).unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(!text.contains("the-") && !text.contains("X-Amz"), "{text}");
    }
}
