//! The typed headers of a xenopsd suspend image.

use crate::observer::{Observer, Record};
use crate::policy::{Level, Limit, Profile};
use crate::rule::Rule;
use crate::value::Value;
use crate::verifier::Verifier;
use crate::verify::{Bytes, Field, Stop};
use crate::violation::{Layer, RecordRef, Violation};
use crate::wire::xenopsd::{self, Contents, types};
use crate::wire::{Order, libxc};

#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    index: u64,
    kind: u64,
    /// Highest rank so far.
    rank: u8,
    libxc_seen: bool,
}

impl Verifier {
    /// Begins the image, after its signature.
    pub(crate) fn xenopsd_start(&mut self) {
        self.certain_until = self.position.saturating_add(xenopsd::HEADER);
        self.xenopsd_await();
    }

    /// Sets the next step: a header.
    pub(crate) fn xenopsd_await(&mut self) {
        self.await_record(Layer::Xenopsd, self.xenopsd.index, Field::Bytes(Bytes::XenopsdType));
    }

    /// The type of a header.
    pub(crate) fn xenopsd_type(&mut self, value: [u8; 8]) {
        self.xenopsd.kind = Order::Little.u64(value);
        self.set_next(0, Field::Bytes(Bytes::XenopsdLength));
    }

    /// A header is complete; `at` is the offset of its length.
    pub(crate) fn xenopsd_header<O: Observer + ?Sized>(
        &mut self,
        at: u64,
        value: [u8; 8],
        o: &mut O,
    ) -> Result<(), Stop> {
        let length = Order::Little.u64(value);
        let kind = self.xenopsd.kind;
        let index = self.xenopsd.index;
        let start = at.saturating_sub(8);
        self.record = Some(RecordRef { layer: Layer::Xenopsd, index, kind: Some(kind), offset: start });
        self.xenopsd.index = index.saturating_add(1);
        self.summary.records.count_container();

        let Some(header) = xenopsd::header(kind) else {
            return self.flag(Rule::XenopsdHeaderType, start, kind, Value::None, o);
        };
        if let Some(rule) = header.refused {
            self.flag(rule, start, Value::RecordType(Layer::Xenopsd, kind), Value::None, o)?;
        }
        self.count_record(start, o)?;
        let may_repeat = matches!(kind, types::SWTPM | types::SWTPM0);
        if header.rank < self.xenopsd.rank || header.rank == self.xenopsd.rank && !may_repeat {
            self.flag(Rule::XenopsdOrder, start, Value::RecordType(Layer::Xenopsd, kind), Value::None, o)?;
        }
        self.xenopsd.rank = header.rank.max(self.xenopsd.rank);
        if kind == types::END_OF_IMAGE && !self.xenopsd.libxc_seen {
            self.flag(
                Rule::XenopsdMissingLibxc,
                start,
                Value::RecordType(Layer::Xenopsd, kind),
                Value::None,
                o,
            )?;
        }
        if i64::try_from(length).is_err() {
            return self.flag(Rule::XenopsdLengthNegative, at, length, Value::None, o);
        }
        let body_length = self.xenopsd_length(header.contents, at, length, o)?;

        let record = Record {
            layer: Layer::Xenopsd,
            index,
            kind,
            instance: 0,
            offset: start,
            body_offset: self.position,
            body_length,
        };
        let tail = match kind {
            types::END_OF_IMAGE => 0,
            types::LIBXC => libxc::IMAGE_HEADER.saturating_add(libxc::DOMAIN_HEADER),
            _ => xenopsd::HEADER,
        };
        self.begin_body(&record, tail, o);
        if kind == types::QEMU_TRAD {
            return self.qemu_start(0, at, o);
        }
        self.rest_of_body();
        Ok(())
    }

    /// Judges a length. Returns how many bytes of the record follow.
    fn xenopsd_length<O: Observer + ?Sized>(
        &mut self,
        contents: Contents,
        at: u64,
        length: u64,
        o: &mut O,
    ) -> Result<u64, Stop> {
        let rule = Rule::XenopsdLength;
        let blob = self.policy.limit(Limit::XenopsdBlob);
        let limit = match contents {
            Contents::Unmeasured => {
                if length > 0 {
                    let level = match self.policy.profile() {
                        Profile::Restore => self.policy.level_or(rule, Level::Warn),
                        Profile::Spec | Profile::Hardened => self.policy.level(rule),
                    };
                    let violation = Violation::new(rule, at, self.record).found(length).expected(0);
                    self.flag_at(level, violation, o)?;
                }
                return Ok(0);
            }
            Contents::Blob => blob,
            Contents::DeviceModel => blob.min(xenopsd::QEMU_TRAD_MAX),
        };
        if length > limit {
            self.flag(rule, at, length, limit, o)?;
        }
        Ok(length)
    }

    /// Ends a header's body.
    pub(crate) fn xenopsd_record_end(&mut self) {
        match self.xenopsd.kind {
            types::END_OF_IMAGE => self.set_next(0, Field::Ended),
            types::LIBXC => {
                self.xenopsd.libxc_seen = true;
                self.libxc_start();
            }
            _ => self.xenopsd_await(),
        }
    }
}
