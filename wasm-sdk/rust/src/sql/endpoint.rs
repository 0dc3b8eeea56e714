//! The verb of a statement and the table it is about.

use super::token::{Token, Tokens};
use super::Dialect;

/// Longest name that is shown.
const MAX_NAME: usize = 128;

/// What a verb does, as far as responses are read differently.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Class {
    /// It changes rows: INSERT, UPDATE, DELETE, REPLACE, LOAD.
    Change,
    /// Anything else.
    #[default]
    Other,
}

/// Where the table stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Where {
    /// Nowhere: the verb says all.
    Nowhere,
    /// Behind these words, any number of them.
    Behind(&'static [&'static str]),
    /// Behind FROM.
    From,
    /// Behind TABLE, VIEW, DATABASE, ... or, for an index or a trigger, ON.
    Object,
    /// Behind INTO TABLE.
    IntoTable,
    /// Behind FROM, or else behind TABLE.
    Show,
    /// The statement explains another one, or a table.
    Explain,
    /// Behind the common table expressions stands another statement.
    With,
}

const INSERT: &[&str] = &["LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY", "IGNORE", "INTO"];
const UPDATE: &[&str] = &["LOW_PRIORITY", "IGNORE", "ONLY"];

/// Words that only PostgreSQL begins statements with.
const POSTGRESQL: &[(&str, Where)] = &[
    ("COPY", Where::Behind(&[])),
    ("MERGE", Where::Behind(&["INTO"])),
    ("VACUUM", Where::Behind(&["FULL", "FREEZE", "VERBOSE", "ANALYZE"])),
    ("REFRESH", Where::Object),
    ("REINDEX", Where::Object),
    ("CLUSTER", Where::Behind(&["VERBOSE"])),
    ("COMMENT", Where::Object),
    ("DECLARE", Where::From),
    ("FETCH", Where::Nowhere),
    ("MOVE", Where::Nowhere),
    ("CLOSE", Where::Nowhere),
    ("LISTEN", Where::Behind(&[])),
    ("UNLISTEN", Where::Behind(&[])),
    ("NOTIFY", Where::Behind(&[])),
    ("DISCARD", Where::Nowhere),
    ("END", Where::Nowhere),
    ("ABORT", Where::Nowhere),
    ("CHECKPOINT", Where::Nowhere),
    ("REASSIGN", Where::Nowhere),
    ("SECURITY", Where::Nowhere),
    // The commands of a replication connection.
    ("IDENTIFY_SYSTEM", Where::Nowhere),
    ("START_REPLICATION", Where::Nowhere),
    ("CREATE_REPLICATION_SLOT", Where::Nowhere),
    ("DROP_REPLICATION_SLOT", Where::Nowhere),
    ("READ_REPLICATION_SLOT", Where::Nowhere),
    ("TIMELINE_HISTORY", Where::Nowhere),
    ("BASE_BACKUP", Where::Nowhere),
];

const VERBS: &[(&str, Where)] = &[
    ("SELECT", Where::From),
    ("INSERT", Where::Behind(INSERT)),
    ("UPDATE", Where::Behind(UPDATE)),
    ("DELETE", Where::From),
    ("SET", Where::Nowhere),
    ("BEGIN", Where::Nowhere),
    ("COMMIT", Where::Nowhere),
    ("ROLLBACK", Where::Nowhere),
    ("REPLACE", Where::Behind(INSERT)),
    ("SHOW", Where::Show),
    ("USE", Where::Behind(&[])),
    ("CALL", Where::Behind(&[])),
    ("START", Where::Nowhere),
    ("WITH", Where::With),
    ("CREATE", Where::Object),
    ("DROP", Where::Object),
    ("ALTER", Where::Object),
    ("TRUNCATE", Where::Behind(&["TABLE"])),
    ("RENAME", Where::Object),
    ("LOAD", Where::IntoTable),
    ("EXPLAIN", Where::Explain),
    ("DESCRIBE", Where::Explain),
    ("DESC", Where::Explain),
    ("ANALYZE", Where::Object),
    ("OPTIMIZE", Where::Object),
    ("CHECK", Where::Object),
    ("REPAIR", Where::Object),
    ("CHECKSUM", Where::Object),
    ("LOCK", Where::Object),
    ("UNLOCK", Where::Nowhere),
    ("HANDLER", Where::Behind(&[])),
    ("TABLE", Where::Behind(&[])),
    ("VALUES", Where::Nowhere),
    ("DO", Where::Nowhere),
    ("PREPARE", Where::Nowhere),
    ("EXECUTE", Where::Nowhere),
    ("DEALLOCATE", Where::Nowhere),
    ("SAVEPOINT", Where::Nowhere),
    ("RELEASE", Where::Nowhere),
    ("XA", Where::Nowhere),
    ("KILL", Where::Nowhere),
    ("GRANT", Where::Nowhere),
    ("REVOKE", Where::Nowhere),
    ("FLUSH", Where::Nowhere),
    ("RESET", Where::Nowhere),
    ("PURGE", Where::Nowhere),
    ("CHANGE", Where::Nowhere),
    ("STOP", Where::Nowhere),
    ("INSTALL", Where::Nowhere),
    ("UNINSTALL", Where::Nowhere),
    ("CACHE", Where::Nowhere),
    ("BINLOG", Where::Nowhere),
    ("HELP", Where::Nowhere),
    ("SHUTDOWN", Where::Nowhere),
    ("RESTART", Where::Nowhere),
    ("CLONE", Where::Nowhere),
    ("IMPORT", Where::Nowhere),
    ("SIGNAL", Where::Nowhere),
    ("GET", Where::Nowhere),
    ("BACKUP", Where::Nowhere),
];

/// The words that statements of a dialect begin with.
fn verbs(dialect: Dialect) -> impl Iterator<Item = &'static (&'static str, Where)> {
    let own = if dialect == Dialect::PostgreSql { POSTGRESQL } else { &[] };
    VERBS.iter().chain(own)
}

fn verb(word: &[u8], dialect: Dialect) -> Option<&'static (&'static str, Where)> {
    verbs(dialect).find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes()))
}

/// Whether a text begins with a word of SQL, behind comments and brackets; `None` when it ends before a whole word.
pub fn is_statement(text: &[u8], dialect: Dialect) -> Option<bool> {
    let mut tokens = Tokens::new(text, dialect);
    loop {
        match tokens.next() {
            Some(Token::Mark(b'(')) => {}
            Some(Token::Word(word)) if tokens.end() == text.len() && verb(word, dialect).is_none() => {
                let may_grow = verbs(dialect).any(|(name, _)| {
                    name.len() > word.len() && name.as_bytes()[..word.len()].eq_ignore_ascii_case(word)
                });
                return if may_grow { None } else { Some(false) };
            }
            Some(Token::Word(word)) => return Some(verb(word, dialect).is_some()),
            Some(_) => return Some(false),
            None => return None,
        }
    }
}

/// Writes `VERB table` (or `VERB`) to `out`, nothing when the text is no statement.
pub fn endpoint(text: &[u8], dialect: Dialect, out: &mut Vec<u8>) -> Class {
    let mut tokens = Tokens::new(text, dialect);
    let mut token = tokens.next();
    while token == Some(Token::Mark(b'(')) {
        token = tokens.next();
    }
    let Some(Token::Word(word)) = token else { return Class::Other };
    let Some((name, place)) = verb(word, dialect) else { return Class::Other };
    if *place == Where::With {
        return with(&mut tokens, text, dialect, out);
    }
    out.extend_from_slice(name.as_bytes());
    let table = match place {
        Where::Nowhere | Where::With => None,
        Where::Behind(skip) => behind(&mut tokens, skip),
        Where::From => from(&mut tokens),
        Where::Object => object(&mut tokens),
        Where::IntoTable => words(&mut tokens, &["INTO"]).then(|| behind(&mut tokens, &["TABLE"])).flatten(),
        Where::Show => words(&mut tokens, &["FROM", "TABLE", "IN"]).then(|| behind(&mut tokens, &[])).flatten(),
        Where::Explain => explain(&mut tokens, dialect),
    };
    if let Some(table) = table {
        out.push(b' ');
        out.extend_from_slice(&table[..table.len().min(MAX_NAME)]);
    }
    match *name {
        "INSERT" | "UPDATE" | "DELETE" | "REPLACE" | "LOAD" | "MERGE" => Class::Change,
        _ => Class::Other,
    }
}

/// Goes to behind one of these words; false when the statement has none.
fn words(tokens: &mut Tokens<'_>, wanted: &[&str]) -> bool {
    tokens.by_ref().any(|token| is_one_of(&token, wanted))
}

fn is_one_of(token: &Token<'_>, wanted: &[&str]) -> bool {
    matches!(token, Token::Word(word) if wanted.iter().any(|name| word.eq_ignore_ascii_case(name.as_bytes())))
}

/// The name behind any of these words.
fn behind(tokens: &mut Tokens<'_>, skip: &[&str]) -> Option<Vec<u8>> {
    loop {
        let token = tokens.next()?;
        if !is_one_of(&token, skip) {
            return dotted(token, tokens);
        }
    }
}

/// `name`, `db.name` with this token first.
fn dotted(first: Token<'_>, tokens: &mut Tokens<'_>) -> Option<Vec<u8>> {
    let (Token::Word(part) | Token::Name(part)) = first else { return None };
    let mut name = part[..part.len().min(MAX_NAME)].to_vec();
    let mut ahead = tokens.clone();
    while ahead.next() == Some(Token::Mark(b'.')) {
        let Some(Token::Word(part) | Token::Name(part)) = ahead.next() else { break };
        name.push(b'.');
        name.extend_from_slice(&part[..part.len().min(MAX_NAME)]);
        *tokens = ahead.clone();
        if name.len() > MAX_NAME {
            break;
        }
    }
    Some(name)
}

/// The table behind FROM; the FROM inside a function's brackets is another one, that of a sub-query counts.
fn from(tokens: &mut Tokens<'_>) -> Option<Vec<u8>> {
    let mut depth = 0u32;
    loop {
        match tokens.next()? {
            Token::Mark(b'(') => depth += 1,
            Token::Mark(b')') => depth = depth.saturating_sub(1),
            token if depth == 0 && is_one_of(&token, &["FROM"]) => {
                let mut token = tokens.next()?;
                while token == Token::Mark(b'(') {
                    token = tokens.next()?;
                }
                if !is_one_of(&token, &["SELECT"]) {
                    return dotted(token, tokens);
                }
            }
            _ => {}
        }
    }
}

/// The object of CREATE, DROP, ALTER and their like. Users and other accounts are not named.
fn object(tokens: &mut Tokens<'_>) -> Option<Vec<u8>> {
    const NAMED: &[&str] =
        &["TABLE", "TABLES", "VIEW", "DATABASE", "SCHEMA", "PROCEDURE", "FUNCTION", "EVENT", "SEQUENCE", "TYPE"];
    const HIDDEN: &[&str] = &["USER", "ROLE", "SERVER", "INSTANCE", "TABLESPACE", "LOGFILE", "RESOURCE"];
    loop {
        let token = tokens.next()?;
        if is_one_of(&token, NAMED) {
            return behind(tokens, &["IF", "NOT", "EXISTS"]);
        }
        if is_one_of(&token, &["INDEX", "TRIGGER"]) {
            return words(tokens, &["ON"]).then(|| behind(tokens, &[])).flatten();
        }
        if is_one_of(&token, HIDDEN) {
            return None;
        }
    }
}

/// `EXPLAIN t` or `EXPLAIN SELECT ... FROM t`.
fn explain(tokens: &mut Tokens<'_>, dialect: Dialect) -> Option<Vec<u8>> {
    loop {
        match tokens.next()? {
            Token::Word(word) => match verb(word, dialect) {
                Some((_, Where::From)) => return from(tokens),
                Some((_, Where::Behind(skip))) => return behind(tokens, skip),
                Some(_) => return None,
                None if [&b"EXTENDED"[..], b"VERBOSE", b"PARTITIONS", b"FORMAT", b"JSON", b"TREE", b"TRADITIONAL"]
                    .iter()
                    .any(|option| word.eq_ignore_ascii_case(option)) => {}
                None => return dotted(Token::Word(word), tokens),
            },
            token @ Token::Name(_) => return dotted(token, tokens),
            _ => {}
        }
    }
}

/// The statement behind the common table expressions.
fn with(tokens: &mut Tokens<'_>, text: &[u8], dialect: Dialect, out: &mut Vec<u8>) -> Class {
    let mut depth = 0u32;
    while let Some(token) = tokens.next() {
        match token {
            Token::Mark(b'(') => depth += 1,
            Token::Mark(b')') => depth = depth.saturating_sub(1),
            token if depth == 0 && is_one_of(&token, &["SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE"]) => {
                return endpoint(&text[tokens.start..], dialect, out);
            }
            _ => {}
        }
    }
    out.extend_from_slice(b"WITH");
    Class::Other
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verb_and_table_are_found() {
        for (text, expected) in [
            ("SELECT c FROM sbtest1 WHERE id=1", "SELECT sbtest1"),
            ("select extract(year from d), (select 1 from x) from `shop`.`orders` o", "SELECT shop.orders"),
            ("SELECT * FROM (SELECT a FROM inner_t) t", "SELECT inner_t"),
            ("SELECT 1", "SELECT"),
            ("(SELECT a FROM t1) UNION (SELECT a FROM t2)", "SELECT t1"),
            ("/* hint */ INSERT IGNORE INTO db.t (a) VALUES (1)", "INSERT db.t"),
            ("REPLACE t VALUES (1)", "REPLACE t"),
            ("UPDATE LOW_PRIORITY t SET a=1", "UPDATE t"),
            ("DELETE FROM t WHERE 1", "DELETE t"),
            ("WITH a AS (SELECT 1 FROM z) SELECT * FROM a", "SELECT a"),
            ("CREATE TABLE IF NOT EXISTS t (a int)", "CREATE t"),
            ("CREATE UNIQUE INDEX i ON t (a)", "CREATE t"),
            ("CREATE USER 'bob'@'%' IDENTIFIED BY 'x'", "CREATE"),
            ("TRUNCATE TABLE t", "TRUNCATE t"),
            ("LOAD DATA LOCAL INFILE 'f' INTO TABLE t", "LOAD t"),
            ("SHOW COLUMNS FROM t", "SHOW t"),
            ("SHOW VARIABLES", "SHOW"),
            ("EXPLAIN SELECT * FROM t", "EXPLAIN t"),
            ("desc t", "DESC t"),
            ("CALL p(1)", "CALL p"),
            ("BEGIN", "BEGIN"),
            ("SET NAMES utf8", "SET"),
            ("/*!40101 SET NAMES utf8 */", "SET"),
            ("USE shop", "USE shop"),
            ("SELECT * FROM 2024_orders", "SELECT 2024_orders"),
            ("hello world", ""),
        ] {
            let mut out = Vec::new();
            endpoint(text.as_bytes(), Dialect::MySql, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn a_cut_text_is_judged_late() {
        assert_eq!(is_statement(b"SEL", Dialect::MySql), None);
        assert_eq!(is_statement(b"select", Dialect::MySql), Some(true));
        assert_eq!(is_statement(b"/* long comm", Dialect::MySql), None);
        assert_eq!(is_statement(b"XY", Dialect::MySql), Some(false));
        assert_eq!(is_statement(b"'a'", Dialect::MySql), Some(false));
        assert_eq!(is_statement(b"", Dialect::MySql), None);
    }

    #[test]
    fn verb_and_table_of_postgresql_are_found() {
        for (text, expected) in [
            ("delete  from test;", "DELETE test"),
            ("COPY public.orders (id) FROM STDIN", "COPY public.orders"),
            ("COPY (SELECT 1) TO STDOUT", "COPY"),
            ("SELECT * FROM \"Shop\".\"Orders\" WHERE id = $1", "SELECT Shop.Orders"),
            ("SELECT $q$ FROM a $q$ FROM b", "SELECT b"),
            ("SELECT '\\' FROM c", "SELECT c"),
            ("MERGE INTO t USING s ON true WHEN MATCHED THEN DELETE", "MERGE t"),
            ("VACUUM (VERBOSE) t", "VACUUM"),
            ("VACUUM ANALYZE t", "VACUUM t"),
            ("REFRESH MATERIALIZED VIEW v", "REFRESH v"),
            ("LISTEN news", "LISTEN news"),
            ("DECLARE c CURSOR FOR SELECT * FROM t", "DECLARE t"),
            ("UPDATE ONLY t SET a = 1", "UPDATE t"),
            ("EXPLAIN (ANALYZE, VERBOSE) SELECT * FROM t", "EXPLAIN"),
            ("END", "END"),
            ("START_REPLICATION SLOT s LOGICAL 0/0", "START_REPLICATION"),
        ] {
            let mut out = Vec::new();
            endpoint(text.as_bytes(), Dialect::PostgreSql, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected, "{text}");
        }
        assert_eq!(is_statement(b"LISTEN a", Dialect::MySql), Some(false));
        assert_eq!(is_statement(b"LISTEN a", Dialect::PostgreSql), Some(true));
    }
}
