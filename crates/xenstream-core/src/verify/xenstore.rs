//! The pairs inside EMULATOR_XENSTORE_DATA: `key NUL value NUL …` (libxl specification, "EMULATOR_XENSTORE_DATA").

use crate::observer::Observer;
use crate::rule::Rule;
use crate::verifier::Verifier;
use crate::verify::{Field, Stop};

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct State {
    /// The string being read is a value.
    in_value: bool,
    /// Absolute offset of the first octet of the string being read.
    string: u64,
    /// Absolute offset of the first octet of the last key.
    key: u64,
}

impl Verifier {
    /// Pairs follow behind `gap` octets, up to the end of the body.
    pub(crate) fn xenstore_start(&mut self, gap: u64) {
        let start = self.position.saturating_add(gap);
        self.xenstore = State { in_value: false, string: start, key: start };
        self.next(gap, Field::Xenstore);
        if start >= self.body_end {
            self.rest_of_body();
        }
    }

    pub(crate) fn xenstore_octets<O: Observer + ?Sized>(
        &mut self,
        octets: &[u8],
        o: &mut O,
    ) -> Result<(), Stop> {
        for octet in octets {
            self.xenstore_octet(*octet, o)?;
            self.advance(1);
            if *octet == 0 {
                self.xenstore.in_value = !self.xenstore.in_value;
                self.xenstore.string = self.position;
                if !self.xenstore.in_value {
                    self.xenstore.key = self.position;
                }
            }
        }
        if self.left_in_body() == 0 {
            self.xenstore_end(o)?;
            self.rest_of_body();
        }
        Ok(())
    }

    fn xenstore_octet<O: Observer + ?Sized>(&mut self, octet: u8, o: &mut O) -> Result<(), Stop> {
        let at = self.position;
        let State { in_value, string, .. } = self.xenstore;
        let found = u64::from(octet);
        if in_value {
            if octet != 0 && !(b' '..=b'~').contains(&octet) {
                self.find(Rule::LibxlXenstoreValueCharset, at, found, 0, o)?;
            }
        } else if octet == 0 {
            if at == string {
                self.find(Rule::LibxlXenstoreKeyEmpty, at, 0, 0, o)?;
            }
        } else if octet == b'/' && at == string {
            self.find(Rule::LibxlXenstoreKeyAbsolute, at, found, 0, o)?;
        } else if !octet.is_ascii_alphanumeric() && !b"-/_@".contains(&octet) {
            self.find(Rule::LibxlXenstoreKeyCharset, at, found, 0, o)?;
        }
        Ok(())
    }

    /// The body has passed: is the last string whole, and does the last key have a value?
    fn xenstore_end<O: Observer + ?Sized>(&mut self, o: &mut O) -> Result<(), Stop> {
        let State { in_value, string, key } = self.xenstore;
        if string != self.position {
            self.find(Rule::LibxlXenstoreTerminator, string, 0, 0, o)
        } else if in_value {
            self.find(Rule::LibxlXenstorePairs, key, 0, 0, o)
        } else {
            Ok(())
        }
    }
}
