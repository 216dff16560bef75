//! Sizes for display.

use core::fmt;

/// A number of bytes, displayed in a suitable unit.
///
/// ```
/// use xenstream_core::ByteSize;
///
/// let texts = [1, 1536, (1 << 20) - 1, 5 << 30].map(|bytes| ByteSize(bytes).to_string());
/// assert_eq!(texts, ["1 byte", "1.5 KiB", "1023.9 KiB", "5.0 GiB"]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a number with another Display")]
pub struct ByteSize(pub u64);

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u32, &str); 6] =
            [(60, "EiB"), (50, "PiB"), (40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
        let bytes = self.0;
        match UNITS.into_iter().find(|(shift, _)| bytes >> shift > 0) {
            None if bytes == 1 => f.write_str("1 byte"),
            None => write!(f, "{bytes} bytes"),
            Some((shift, unit)) => {
                // To a tenth, rounded down, so that 1023.99 MiB do not become 1024.0.
                let tenths = u128::from(bytes).wrapping_mul(10) >> shift;
                write!(f, "{}.{} {unit}", tenths / 10, tenths % 10)
            }
        }
    }
}
