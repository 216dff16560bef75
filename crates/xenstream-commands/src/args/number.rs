//! Numbers on the command line.

/// Parses a number in decimal or hex, with an optional suffix for a power of 1024. `none` is the largest number.
pub(crate) fn parse_number(text: &str) -> Option<u64> {
    if text == "none" {
        return Some(u64::MAX);
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+'));
    }
    let (digits, power) = match text.char_indices().last()? {
        (at, 'K' | 'k') => (&text[..at], 10),
        (at, 'M' | 'm') => (&text[..at], 20),
        (at, 'G' | 'g') => (&text[..at], 30),
        (at, 'T' | 't') => (&text[..at], 40),
        _ => (text, 0),
    };
    let number = digits.parse::<u64>().ok().filter(|_| !digits.starts_with('+'))?;
    number.checked_mul(1 << power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_hex_and_suffixes() {
        for (text, number) in [
            ("0", Some(0)),
            ("4096", Some(4096)),
            ("0x1f", Some(31)),
            ("4K", Some(4096)),
            ("2m", Some(2 << 20)),
            ("1G", Some(1 << 30)),
            ("16777215T", Some(16_777_215 << 40)),
            ("16777216T", None),
            ("none", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("", None),
            ("K", None),
            ("0x", None),
            ("0x+1", None),
            ("+1", None),
            ("-1", None),
            ("1K ", None),
        ] {
            assert_eq!(parse_number(text), number, "{text:?}");
        }
    }
}
