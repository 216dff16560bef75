//! An observer lent to the verifier, or there at choice, hears what it would hear itself.

use std::fs;
use std::path::Path;

use xenstream_core::{Format, Header, Layer, Observer, Policy, Record, Verifier};

use crate::setup::Setup;
use crate::transcript::Transcript;

#[test]
fn wrapped_observer_receives_every_event() {
    let valid = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpus/valid");
    let mut heard = 0;
    for entry in fs::read_dir(valid).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "bin") {
            continue;
        }
        let stream = fs::read(path).unwrap();
        // Any format: spec that stops and wants no bodies, hardened that goes on and wants them, of a torn stream too.
        for (how, length) in [(0, stream.len()), (0xC0 + 2, stream.len()), (0xC0 + 2, stream.len() / 2)] {
            let input = [&stream[..length], &[0, how]].concat();
            let (setup, stream) = Setup::split(&input);
            let mut itself = Transcript::new(setup.bodies);
            let mut lent = Transcript::new(setup.bodies);
            verify(setup, stream, &mut itself);
            verify(setup, stream, &mut &mut lent);
            itself.assert_same(&lent, "lent");
            let mut chosen = Some(Transcript::new(setup.bodies));
            verify(setup, stream, &mut chosen);
            itself.assert_same(&chosen.unwrap(), "chosen");
            heard += 1;
        }
    }
    assert!(heard > 100, "the corpus has shrunk to {heard} streams");
}

/// The optional data of xl may go on after the configuration.
#[test]
fn headers_begin_where_they_say() {
    #[derive(Default)]
    struct Headers(Vec<Header>);
    impl Observer for Headers {
        fn on_header(&mut self, header: &Header) {
            self.0.push(*header);
        }
    }
    let path = "../../corpus/rules/xl/optional-data-length-limit.bin";
    let stream = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    let mut headers = Headers::default();
    Verifier::new(Format::Auto, &Policy::spec()).push(&stream, &mut headers).unwrap();
    let ident = stream.windows(8).position(|bytes| bytes == b"LibxlFmt");
    assert_eq!(headers.0.get(1).map(|header| header.offset() as usize), ident);
}

#[test]
fn no_observer_wants_no_bodies() {
    let record = Record::new(Layer::Libxc, 1, 40, 48, 8);
    assert!(Some(Transcript::new(true)).wants_body(&record));
    assert!(!Some(Transcript::new(false)).wants_body(&record));
    assert!(!None::<Transcript>.wants_body(&record));
}

/// By a generic, as a caller's would be: the observer's own type is what is tested.
fn verify<O: Observer>(setup: Setup, stream: &[u8], observer: &mut O) {
    let mut verifier = Verifier::new(setup.format, setup.policy());
    let _ = verifier.push(stream, observer);
    let _ = verifier.finish(observer);
}
