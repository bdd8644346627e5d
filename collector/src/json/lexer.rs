//! JSON text (RFC 8259) as tokens, checked to the letter even where it is read over.

use std::borrow::Cow;

/// Reads tokens from a text.
pub(super) struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
}

/// A whole scalar, or the bracket that opens more.
#[derive(Clone, Copy, Debug)]
pub(super) enum Token<'a> {
    ObjectStart,
    ArrayStart,
    String(Text<'a>),
    /// As written, of valid form.
    Number(&'a [u8]),
    True,
    False,
    Null,
}

/// What stands between two quotes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text<'a> {
    raw: &'a [u8],
    escapes: bool,
}

/// Where and why a text is not JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the JSON body is broken at byte {at}: expected {expected}")]
pub(crate) struct Syntax {
    at: usize,
    expected: &'static str,
}

/// Open brackets, a bit for each: whether it is an object's.
#[derive(Default)]
struct Brackets {
    words: Vec<u64>,
    len: usize,
}

// === impl Lexer ===

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    pub(super) fn error(&self, expected: &'static str) -> Syntax {
        Syntax { at: self.at, expected }
    }

    /// Passes a byte order mark and the bracket of the outermost object.
    pub(super) fn open_document(&mut self) -> Result<(), Syntax> {
        if self.text.starts_with(BYTE_ORDER_MARK) {
            self.at = BYTE_ORDER_MARK.len();
        }
        self.space();
        if self.text.len() == self.at {
            return Err(self.error("an object, but the body is empty"));
        }
        if self.take(b'{') {
            return Ok(());
        }
        // Other JSON begins so; a request in protobuf begins with the key of its first field, a line feed.
        let starts = self.text.get(self.at).is_some_and(|first| first.is_ascii_alphanumeric() || b"[\"-".contains(first));
        let is_json = starts && self.text.first() != Some(&b'\n');
        Err(self.error(if is_json { "an object" } else { "'{'; is the body protobuf? Then send content-type application/x-protobuf" }))
    }

    /// Only white space may follow.
    pub(super) fn end(&mut self) -> Result<(), Syntax> {
        self.space();
        if self.at == self.text.len() { Ok(()) } else { Err(self.error("the end of the body")) }
    }

    /// The next key of an object, its colon passed; `None` at the end of the object.
    pub(super) fn next_key(&mut self, fresh: bool) -> Result<Option<Text<'a>>, Syntax> {
        self.space();
        if self.take(b'}') {
            return Ok(None);
        }
        if !fresh {
            if !self.take(b',') {
                return Err(self.error("',' or '}'"));
            }
            self.space();
        }
        if !self.take(b'"') {
            return Err(self.error("a key in quotes"));
        }
        let key = self.string()?;
        self.space();
        if self.take(b':') { Ok(Some(key)) } else { Err(self.error("':'")) }
    }

    /// Whether an array has one more element, which is to be read next.
    pub(super) fn next_element(&mut self, fresh: bool) -> Result<bool, Syntax> {
        self.space();
        if self.take(b']') {
            return Ok(false);
        }
        if fresh || self.take(b',') { Ok(true) } else { Err(self.error("',' or ']'")) }
    }

    /// The next value: all of it, or the bracket that opens it.
    pub(super) fn value(&mut self) -> Result<Token<'a>, Syntax> {
        self.space();
        let token = match self.peek() {
            Some(b'{') => Token::ObjectStart,
            Some(b'[') => Token::ArrayStart,
            Some(b'"') => {
                self.at += 1;
                return self.string().map(Token::String);
            }
            Some(b't') => return self.word(b"true", Token::True),
            Some(b'f') => return self.word(b"false", Token::False),
            Some(b'n') => return self.word(b"null", Token::Null),
            Some(b'-' | b'0'..=b'9') => return self.number().map(Token::Number),
            _ => return Err(self.error("a value")),
        };
        self.at += 1;
        Ok(token)
    }

    /// Reads over the rest of a value that begins with `first`.
    pub(super) fn skip(&mut self, first: &Token<'a>) -> Result<(), Syntax> {
        let mut open = Brackets::default();
        match first {
            Token::ObjectStart => open.push(true),
            Token::ArrayStart => open.push(false),
            _ => return Ok(()),
        }
        let mut fresh = true;
        while let Some(is_object) = open.last() {
            let more = if is_object { self.next_key(fresh)?.is_some() } else { self.next_element(fresh)? };
            fresh = false;
            if !more {
                open.pop();
                continue;
            }
            match self.value()? {
                Token::ObjectStart => open.push(true),
                Token::ArrayStart => open.push(false),
                _ => continue,
            }
            fresh = true;
        }
        Ok(())
    }

    /// The opening quote is passed.
    fn string(&mut self) -> Result<Text<'a>, Syntax> {
        let start = self.at;
        let mut escapes = false;
        loop {
            match self.peek() {
                Some(b'"') => {
                    let raw = self.text.get(start..self.at).unwrap_or_default();
                    self.at += 1;
                    return Ok(Text { raw, escapes });
                }
                Some(b'\\') => {
                    escapes = true;
                    self.at += 1;
                    self.escape()?;
                }
                Some(0..=0x1f) => return Err(self.error("no bare control character in a string")),
                Some(_) => self.at += 1,
                None => return Err(self.error("the closing quote of a string")),
            }
        }
    }

    fn escape(&mut self) -> Result<(), Syntax> {
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                let digits = self.text.get(self.at + 1..self.at + 5);
                if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                    return Err(self.error("four hex digits after \\u"));
                }
                self.at += 5;
            }
            _ => return Err(self.error("a known escape after \\")),
        }
        Ok(())
    }

    fn number(&mut self) -> Result<&'a [u8], Syntax> {
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') && self.digits() == 0 {
            return Err(self.error("a digit"));
        }
        if self.take(b'.') && self.digits() == 0 {
            return Err(self.error("a digit after the point"));
        }
        if self.take(b'e') || self.take(b'E') {
            let _ = self.take(b'+') || self.take(b'-');
            if self.digits() == 0 {
                return Err(self.error("a digit in the exponent"));
            }
        }
        Ok(self.text.get(start..self.at).unwrap_or_default())
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at - start
    }

    fn word(&mut self, word: &'static [u8], token: Token<'a>) -> Result<Token<'a>, Syntax> {
        if !self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            return Err(self.error("true, false or null"));
        }
        self.at += word.len();
        Ok(token)
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }
}

// === impl Text ===

impl<'a> Text<'a> {
    /// The characters meant, as bytes that may not be UTF-8.
    pub(super) fn bytes(&self) -> Cow<'a, [u8]> {
        if self.escapes { Cow::Owned(unescape(self.raw).0) } else { Cow::Borrowed(self.raw) }
    }

    /// The characters meant; what is not UTF-8 becomes U+FFFD.
    pub(super) fn decode(&self) -> Cow<'a, str> {
        self.repair().0
    }

    /// The characters meant, and whether any of them had to be replaced.
    pub(super) fn repair(&self) -> (Cow<'a, str>, bool) {
        if !self.escapes {
            let text = String::from_utf8_lossy(self.raw);
            let repaired = matches!(text, Cow::Owned(_));
            return (text, repaired);
        }
        let (bytes, lone) = unescape(self.raw);
        match String::from_utf8(bytes) {
            Ok(text) => (Cow::Owned(text), lone),
            Err(error) => (Cow::Owned(String::from_utf8_lossy(error.as_bytes()).into_owned()), true),
        }
    }
}

/// Escapes were checked when the string was read. Surrogates without a partner become U+FFFD; whether there were any.
fn unescape(raw: &[u8]) -> (Vec<u8>, bool) {
    let mut out = Vec::with_capacity(raw.len());
    let mut lone = false;
    let mut rest = raw;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'\\' {
            out.push(*byte);
            continue;
        }
        let Some((kind, after)) = rest.split_first() else { break };
        rest = after;
        match kind {
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'u' => {
                let meant = code_point(&mut rest);
                lone |= meant.is_none();
                out.extend_from_slice(meant.unwrap_or(char::REPLACEMENT_CHARACTER).encode_utf8(&mut [0; 4]).as_bytes());
            }
            other => out.push(*other),
        }
    }
    (out, lone)
}

/// Takes the digits after `\u`, and those of a second surrogate. `None` for a surrogate alone.
fn code_point(rest: &mut &[u8]) -> Option<char> {
    let high = hex4(rest);
    *rest = rest.get(4..).unwrap_or_default();
    if let 0xd800..=0xdbff = high
        && let Some(after) = rest.strip_prefix(b"\\u")
        && let low @ 0xdc00..=0xdfff = hex4(after)
    {
        *rest = after.get(4..).unwrap_or_default();
        let joined = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
        return char::from_u32(joined);
    }
    char::from_u32(high)
}

fn hex4(text: &[u8]) -> u32 {
    let digits = text.iter().take(4).map(|digit| char::from(*digit).to_digit(16).unwrap_or(0));
    digits.fold(0, |all, digit| all << 4 | digit)
}

// === impl Brackets ===

impl Brackets {
    fn push(&mut self, is_object: bool) {
        let bit = self.len % 64;
        if bit == 0 {
            self.words.push(0);
        }
        if let Some(word) = self.words.last_mut() {
            *word = *word & !(1 << bit) | u64::from(is_object) << bit;
        }
        self.len += 1;
    }

    fn last(&self) -> Option<bool> {
        let bit = self.len.checked_sub(1)? % 64;
        Some(self.words.last()? >> bit & 1 == 1)
    }

    fn pop(&mut self) {
        self.len = self.len.saturating_sub(1);
        if self.len.is_multiple_of(64) {
            self.words.pop();
        }
    }
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
