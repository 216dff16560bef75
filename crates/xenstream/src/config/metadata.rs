//! The metadata of a suspend image: an s-expression with the fields of a record of xenopsd's (`suspend_image.ml`).

use xenstream_core::Rule;

/// Walks through the text, token by token.
struct Tokens<'t> {
    text: &'t [u8],
    at: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'t> {
    Open,
    Close,
    /// A word, or a quoted text with its escapes as they stand.
    Atom(&'t [u8]),
    /// Nothing more.
    End,
}

/// The rule that a text breaks which is no metadata.
pub(super) const RULE: Rule = Rule::XenopsdMetadata;

/// Where the text stops being metadata that its reader takes: a list of fields, each a list of a name and a value, among
/// them `time` and `word_size`. Fields of other names may hold anything.
pub(super) fn metadata_fault(text: &[u8]) -> Option<usize> {
    let mut tokens = Tokens { text, at: 0 };
    tokens.metadata().err()
}

/// The byte at which the text is wrong.
type Fault = usize;

impl<'t> Tokens<'t> {
    fn metadata(&mut self) -> Result<(), Fault> {
        self.expect(Token::Open)?;
        let (mut time, mut word_size) = (false, false);
        loop {
            match self.next()? {
                (_, Token::Open) => match self.field()? {
                    b"time" => time = true,
                    b"word_size" => word_size = true,
                    _ => {}
                },
                (at, Token::Close) if time && word_size => {
                    self.expect(Token::End)?;
                    debug_assert!(at < self.text.len());
                    return Ok(());
                }
                (at, _) => return Err(at),
            }
        }
    }

    /// A field, of which the opening parenthesis has passed; gives back its name.
    fn field(&mut self) -> Result<&'t [u8], Fault> {
        let name = self.atom()?;
        match name {
            b"time" | b"vm_str" => {
                self.atom()?;
            }
            b"word_size" => {
                let at = self.at;
                let number = self.atom()?;
                std::str::from_utf8(number).ok().and_then(|number| number.parse::<i64>().ok()).ok_or(at)?;
            }
            b"xs_subtree" => return self.pairs().map(|()| name),
            _ => {
                let mut depth = 0u64;
                loop {
                    match self.next()? {
                        (_, Token::Open) => depth += 1,
                        (_, Token::Close) if depth == 0 => return Ok(name),
                        (_, Token::Close) => depth -= 1,
                        (_, Token::Atom(_)) => {}
                        (at, Token::End) => return Err(at),
                    }
                }
            }
        }
        self.expect(Token::Close).map(|()| name)
    }

    /// A list of lists of two atoms, and the end of the field.
    fn pairs(&mut self) -> Result<(), Fault> {
        self.expect(Token::Open)?;
        loop {
            match self.next()? {
                (_, Token::Open) => {
                    self.atom()?;
                    self.atom()?;
                    self.expect(Token::Close)?;
                }
                (_, Token::Close) => return self.expect(Token::Close),
                (at, _) => return Err(at),
            }
        }
    }

    fn expect(&mut self, token: Token<'_>) -> Result<(), Fault> {
        match self.next()? {
            (_, found) if found == token => Ok(()),
            (at, _) => Err(at),
        }
    }

    fn atom(&mut self) -> Result<&'t [u8], Fault> {
        match self.next()? {
            (_, Token::Atom(atom)) => Ok(atom),
            (at, _) => Err(at),
        }
    }

    /// The next token and where it begins.
    fn next(&mut self) -> Result<(usize, Token<'t>), Fault> {
        self.blanks()?;
        let start = self.at;
        let rest = &self.text[start..];
        let (length, token) = match rest.first() {
            None => (0, Token::End),
            Some(b'(') => (1, Token::Open),
            Some(b')') => (1, Token::Close),
            Some(b'"') => {
                let length = quoted(rest).ok_or(start)?;
                (length, Token::Atom(&rest[1..length - 1]))
            }
            Some(_) => {
                let ends =
                    |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'(' | b')' | b'"' | b';');
                let length = rest.iter().position(ends).unwrap_or(rest.len());
                (length, Token::Atom(&rest[..length]))
            }
        };
        self.at += length;
        Ok((start, token))
    }

    /// Passes over white space and comments.
    fn blanks(&mut self) -> Result<(), Fault> {
        loop {
            let rest = &self.text[self.at..];
            self.at += match rest {
                [byte, ..] if byte.is_ascii_whitespace() => 1,
                [b';', ..] => rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()),
                [b'#', b'|', ..] => block_comment(rest).ok_or(self.at)?,
                _ => return Ok(()),
            };
        }
    }
}

/// Bytes of the quoted text at the start, quotes included.
fn quoted(text: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        match text.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// Bytes of the comment at the start, which may hold others.
fn block_comment(text: &[u8]) -> Option<usize> {
    let (mut depth, mut at) = (0u64, 0);
    loop {
        let step = match text.get(at..)? {
            [b'#', b'|', ..] => {
                depth += 1;
                2
            }
            [b'|', b'#', ..] => {
                depth -= 1;
                2
            }
            [] => return None,
            _ => 1,
        };
        at += step;
        if depth == 0 {
            return Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::metadata_fault;

    #[test]
    fn metadata_as_it_is_written_is_taken() {
        for text in [
            "((time x)(word_size 64))",
            "((word_size 32)(time \"20:15 \\\"x\\\"\")(vm_str \"()\")(xs_subtree((a b)(\"c d\" ())))))",
            "; comment\n((time x) #| a #| b |# ( |# (word_size 64)(xs_subtree ()))\n",
            "((time x)(word_size 64)(newer (a (b) c)))",
        ] {
            let fault = metadata_fault(text.as_bytes());
            // A list in place of the value of a pair is wrong.
            let expected = text.find("())))");
            assert_eq!(fault, expected, "{text}");
        }
    }

    #[test]
    fn faults_are_located() {
        for (text, at) in [
            ("", 0),
            (")(((x(", 0),
            ("x", 0),
            ("()", 1),
            ("((time x))", 9),
            ("((time x)(word_size y))", 19),
            ("((time x)(word_size 64 64))", 23),
            ("((time)(word_size 64))", 6),
            ("((time x)(word_size 64)) x", 25),
            ("((time x)(word_size 64)", 23),
            ("((time \"x)(word_size 64))", 7),
            ("((time x)(word_size 64)(xs_subtree ((a))))", 38),
            ("((time x) #| (word_size 64))", 10),
        ] {
            assert_eq!(metadata_fault(text.as_bytes()), Some(at), "{text}");
        }
    }
}
