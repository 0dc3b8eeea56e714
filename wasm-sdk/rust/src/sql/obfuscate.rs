//! Statements without their data.

use super::token::{Token, Tokens};
use super::Dialect;

/// Appends `text` to `out` with every literal as `?`, comments left out, and nothing else changed.
pub fn obfuscate(text: &[u8], dialect: Dialect, out: &mut Vec<u8>) {
    let mut tokens = Tokens::new(text, dialect);
    let mut from = 0;
    while let Some(token) = tokens.next() {
        if tokens.start > from && !out.is_empty() {
            out.push(b' ');
        }
        match token {
            Token::Literal => out.push(b'?'),
            _ => out.extend_from_slice(&text[tokens.start..tokens.end()]),
        }
        from = tokens.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_become_question_marks() {
        for (text, expected) in [
            ("SELECT * FROM t WHERE id = 42 AND n='it''s' -- x", "SELECT * FROM t WHERE id = ? AND n=?"),
            ("INSERT INTO t2 VALUES (1,'a\\'b',\"c\",0xff,x'00',1.5e-3)", "INSERT INTO t2 VALUES (?,?,?,?,?,?)"),
            ("SELECT `2x`, t1.c FROM 2024_t LIMIT 10", "SELECT `2x`, t1.c FROM 2024_t LIMIT ?"),
            ("SELECT 'cut in the mid", "SELECT ?"),
            ("SELECT /* secret 'x */ 1", "SELECT ?"),
        ] {
            let mut out = Vec::new();
            obfuscate(text.as_bytes(), Dialect::MySql, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    #[test]
    fn literals_of_postgresql_become_question_marks() {
        for (text, expected) in [
            (
                "SELECT $1::int, \"Odd Name\".x FROM t WHERE a = $2",
                "SELECT $1::int, \"Odd Name\".x FROM t WHERE a = $2",
            ),
            ("SELECT 'back\\' , 'next'", "SELECT ? , ?"),
            ("SELECT E'it\\'s', B'01', $$a 'b' $$, $q$ $$ x $q$", "SELECT ?, ?, ?, ?"),
            ("DO $body$ BEGIN RAISE 'x'; END $body$", "DO ?"),
            ("SELECT /* a /* b */ 'c' */ 1 -- x", "SELECT ?"),
            ("SELECT $$ cut", "SELECT ?"),
        ] {
            let mut out = Vec::new();
            obfuscate(text.as_bytes(), Dialect::PostgreSql, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
