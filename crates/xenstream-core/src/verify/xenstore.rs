//! The pairs inside EMULATOR_XENSTORE_DATA: `key NUL value NUL …` (libxl specification, "EMULATOR_XENSTORE_DATA").

use crate::observer::Observer;
use crate::policy::Limit;
use crate::rule::Rule;
use crate::value::Value;
use crate::verifier::Verifier;
use crate::verify::{Field, Stop, Stretch};

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct State {
    /// Whether the string being read is a value.
    in_value: bool,
    /// Absolute offset of the first byte of the string being read.
    string: u64,
    /// Absolute offset of the first byte of the last key.
    key: u64,
    /// The number of keys since the start of the stream or the last checkpoint, until which libxl keeps its objects.
    pub(crate) keys: u64,
}

impl Verifier {
    /// Begins the pairs, which start after `gap` bytes and take the rest of the body.
    pub(crate) fn xenstore_start(&mut self, gap: u64) {
        let start = self.position.saturating_add(gap);
        let keys = self.xenstore.keys;
        self.xenstore = State { in_value: false, string: start, key: start, keys };
        self.set_next(gap, Field::Stretch(Stretch::Xenstore));
        if start >= self.body_end {
            self.rest_of_body();
        }
    }

    pub(crate) fn xenstore_bytes<O: Observer + ?Sized>(
        &mut self,
        bytes: &[u8],
        o: &mut O,
    ) -> Result<(), Stop> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let before = rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len());
            let (piece, after) = rest.split_at_checked(before.saturating_add(1)).unwrap_or((rest, &[]));
            rest = after;
            self.xenstore_piece(piece, o)?;
        }
        if self.left_in_body() == 0 {
            self.xenstore_end(o)?;
            self.rest_of_body();
        }
        Ok(())
    }

    /// Judges part of a string, at most up to its terminator.
    fn xenstore_piece<O: Observer + ?Sized>(&mut self, piece: &[u8], o: &mut O) -> Result<(), Stop> {
        let State { in_value, string, .. } = self.xenstore;
        if !in_value && self.position == string {
            self.xenstore.keys = self.xenstore.keys.saturating_add(1);
            let limit = self.policy.limit(Limit::XenstorePairs);
            if self.xenstore.keys > limit {
                self.flag(Rule::LibxlXenstoreCount, string, self.xenstore.keys, limit, o)?;
            }
        }
        // One pass without a branch shows whether a byte may break a rule.
        let odd = if in_value {
            piece.iter().fold(false, |odd, byte| odd | !(*byte == 0 || is_of_value(*byte)))
        } else {
            let starts = self.position == string && matches!(piece.first(), Some(0 | b'/'));
            piece.iter().fold(starts, |odd, byte| odd | !(*byte == 0 || is_of_key(*byte)))
        };
        if odd {
            for byte in piece {
                self.xenstore_byte(*byte, o)?;
                self.advance(1);
            }
        } else {
            self.advance(piece.len());
        }
        if piece.last() == Some(&0) {
            self.xenstore.in_value = !in_value;
            self.xenstore.string = self.position;
            if in_value {
                self.xenstore.key = self.position;
            }
        }
        Ok(())
    }

    fn xenstore_byte<O: Observer + ?Sized>(&mut self, byte: u8, o: &mut O) -> Result<(), Stop> {
        let at = self.position;
        let State { in_value, string, .. } = self.xenstore;
        let found = u64::from(byte);
        if in_value {
            if byte != 0 && !is_of_value(byte) {
                self.flag(Rule::LibxlXenstoreValueCharset, at, found, Value::None, o)?;
            }
        } else if byte == 0 {
            if at == string {
                self.flag(Rule::LibxlXenstoreKeyEmpty, at, Value::None, Value::None, o)?;
            }
        } else if byte == b'/' && at == string {
            self.flag(Rule::LibxlXenstoreKeyAbsolute, at, found, Value::None, o)?;
        } else if !is_of_key(byte) {
            self.flag(Rule::LibxlXenstoreKeyCharset, at, found, Value::None, o)?;
        }
        Ok(())
    }

    /// Ends the body, and checks that the last string is complete and the last key has a value.
    fn xenstore_end<O: Observer + ?Sized>(&mut self, o: &mut O) -> Result<(), Stop> {
        let State { in_value, string, key, .. } = self.xenstore;
        if string != self.position {
            self.flag(Rule::LibxlXenstoreTerminator, string, Value::None, Value::None, o)
        } else if in_value {
            self.flag(Rule::LibxlXenstorePairs, key, Value::None, Value::None, o)
        } else {
            Ok(())
        }
    }
}

fn is_of_key(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'/' | b'_' | b'@')
}

fn is_of_value(byte: u8) -> bool {
    matches!(byte, b' '..=b'~')
}
