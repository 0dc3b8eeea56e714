//! Tokens of a statement, as far as they matter: where words, literals and comments begin and end
//! (<https://dev.mysql.com/doc/refman/8.4/en/language-structure.html>,
//! <https://www.postgresql.org/docs/current/sql-syntax-lexical.html>).

use super::Dialect;

/// A token, with its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// A keyword or a plain name.
    Word(&'a [u8]),
    /// A name in quotes (MySQL: backticks), without them.
    Name(&'a [u8]),
    /// A string, a number or another literal.
    Literal,
    /// Any other character.
    Mark(u8),
}

/// Walks over a statement that may be cut anywhere.
#[derive(Clone, Debug)]
pub struct Tokens<'a> {
    text: &'a [u8],
    dialect: Dialect,
    at: usize,
    /// Where the last token began.
    pub start: usize,
}

impl<'a> Tokens<'a> {
    /// At the beginning of a statement.
    pub fn new(text: &'a [u8], dialect: Dialect) -> Self {
        Self { text, dialect, at: 0, start: 0 }
    }

    /// Where the last token ended.
    pub fn end(&self) -> usize {
        self.at
    }

    fn skip_while(&mut self, keep: impl Fn(u8) -> bool) {
        self.at += self.text[self.at..].iter().position(|byte| !keep(*byte)).unwrap_or(self.text.len() - self.at);
    }

    /// Skips to behind the closing quote; doubled quotes, and escaped ones where a backslash escapes, belong to the text.
    fn skip_quoted(&mut self, quote: u8, has_escapes: bool) {
        self.at += 1;
        while let Some(&byte) = self.text.get(self.at) {
            self.at += 1;
            if byte == b'\\' && has_escapes {
                self.at += 1;
            } else if byte == quote {
                if self.text.get(self.at) != Some(&quote) {
                    return;
                }
                self.at += 1;
            }
        }
        self.at = self.at.min(self.text.len());
    }

    /// Skips white space and comments. The text of `/*! ... */` is code, so that only its frame is skipped.
    fn skip_blank(&mut self) {
        loop {
            self.skip_while(|byte| byte <= b' ');
            let rest = &self.text[self.at..];
            if self.dialect == Dialect::PostgreSql {
                if rest.starts_with(b"/*") {
                    self.skip_nested_comment();
                } else if rest.starts_with(b"--") {
                    self.skip_while(|byte| byte != b'\n');
                } else {
                    return;
                }
                continue;
            }
            if rest.starts_with(b"/*!") || rest.starts_with(b"/*M!") {
                self.at += 3 + usize::from(rest[2] == b'M');
                self.skip_while(|byte| byte.is_ascii_digit());
            } else if rest.starts_with(b"/*") {
                let end = rest[2..].windows(2).position(|pair| pair == b"*/");
                self.at = end.map_or(self.text.len(), |end| self.at + end + 4);
            } else if rest.starts_with(b"*/") {
                self.at += 2;
            } else if rest.first() == Some(&b'#')
                || (rest.starts_with(b"--") && rest.get(2).is_none_or(|byte| *byte <= b' '))
            {
                self.skip_while(|byte| byte != b'\n');
            } else {
                return;
            }
        }
    }
}

impl Tokens<'_> {
    /// Skips a comment in which others may stand.
    fn skip_nested_comment(&mut self) {
        let mut depth = 0u32;
        while self.at < self.text.len() {
            let rest = &self.text[self.at..];
            if rest.starts_with(b"/*") {
                depth += 1;
                self.at += 2;
            } else if rest.starts_with(b"*/") {
                depth -= 1;
                self.at += 2;
                if depth == 0 {
                    return;
                }
            } else {
                self.at += 1;
            }
        }
    }

    /// Skips `$$ ... $$` or `$tag$ ... $tag$`; false when no such literal begins here.
    fn skip_dollar_quoted(&mut self) -> bool {
        let rest = &self.text[self.at..];
        let Some(end) = rest[1..].iter().position(|byte| *byte == b'$') else { return false };
        let tag = &rest[1..=end];
        if tag.first().is_some_and(u8::is_ascii_digit) || !tag.iter().all(|byte| is_word(*byte)) {
            return false;
        }
        let mark = &rest[..end + 2];
        let close = rest[mark.len()..].windows(mark.len()).position(|window| window == mark);
        self.at = close.map_or(self.text.len(), |close| self.at + 2 * mark.len() + close);
        true
    }
}

/// Bytes of a plain name.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || byte >= 0x80
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        self.skip_blank();
        self.start = self.at;
        let first = *self.text.get(self.at)?;
        let token = match first {
            b'\'' => {
                self.skip_quoted(first, self.dialect == Dialect::MySql);
                Token::Literal
            }
            b'"' if self.dialect == Dialect::MySql => {
                self.skip_quoted(first, true);
                Token::Literal
            }
            b'"' | b'`' => {
                self.skip_quoted(first, false);
                let inner = &self.text[self.start + 1..self.at];
                Token::Name(inner.strip_suffix(&[first]).unwrap_or(inner))
            }
            b'$' if self.dialect == Dialect::PostgreSql => {
                let is_parameter = self.text.get(self.at + 1).is_some_and(u8::is_ascii_digit);
                if !is_parameter && self.skip_dollar_quoted() {
                    Token::Literal
                } else {
                    self.at += 1;
                    self.skip_while(|byte| byte.is_ascii_digit());
                    Token::Mark(b'$')
                }
            }
            b'0'..=b'9' => {
                self.number();
                let text = &self.text[self.start..self.at];
                // A name may begin with a digit: `2024_orders`.
                let is_name = text.iter().any(|byte| *byte == b'_' || *byte == b'$') && !text.contains(&b'.');
                if is_name {
                    Token::Word(text)
                } else {
                    Token::Literal
                }
            }
            b'.' if self.text.get(self.at + 1).is_some_and(u8::is_ascii_digit) && !self.follows_name() => {
                self.number();
                Token::Literal
            }
            byte if is_word(byte) => {
                self.skip_while(is_word);
                let word = &self.text[self.start..self.at];
                let is_prefix = match self.dialect {
                    Dialect::MySql => matches!(word, b"x" | b"X" | b"b" | b"B" | b"n" | b"N"),
                    Dialect::PostgreSql => matches!(word, b"x" | b"X" | b"b" | b"B" | b"n" | b"N" | b"e" | b"E"),
                };
                if is_prefix && self.text.get(self.at) == Some(&b'\'') {
                    self.skip_quoted(b'\'', self.dialect == Dialect::MySql || matches!(word, b"e" | b"E"));
                    Token::Literal
                } else {
                    Token::Word(word)
                }
            }
            byte => {
                self.at += 1;
                Token::Mark(byte)
            }
        };
        Some(token)
    }
}

impl Tokens<'_> {
    fn follows_name(&self) -> bool {
        self.at > 0 && (is_word(self.text[self.at - 1]) || self.text[self.at - 1] == b'`')
    }

    fn number(&mut self) {
        self.skip_while(|byte| is_word(byte) || byte == b'.');
        // 1e-5
        let exponent = matches!(self.text[self.at - 1], b'e' | b'E') && !self.text[self.start..].starts_with(b"0x");
        if exponent && matches!(self.text.get(self.at), Some(b'+' | b'-')) {
            self.at += 1;
            self.skip_while(|byte| byte.is_ascii_digit());
        }
    }
}
