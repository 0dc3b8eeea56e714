//! One command as it is shown: its name, its line of bounded size, secrets masked, and what it means for the replies.

use super::table::{find, Act, Command, Topic, Values};
use crate::options::{Obfuscate, Options};
use crate::text::push_printable;

/// Bytes kept of a command's name.
const NAME: usize = 32;

/// What `CLIENT REPLY` was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyMode {
    /// Replies again.
    On,
    /// No replies.
    Off,
    /// No reply to the next command.
    Skip,
}

/// A command that is being read, argument by argument.
#[derive(Debug)]
pub struct CommandLine {
    name: [u8; NAME],
    name_len: u8,
    count: u32,
    known: Option<&'static Command>,
    secrets_left: u8,
    is_get: bool,
    options: Options,
    /// The command line, printable and cut to `max_command_bytes`.
    pub text: Vec<u8>,
    /// The reply holds secrets.
    pub hide_reply: bool,
    /// The command was `CLIENT REPLY`.
    pub reply_mode: Option<ReplyMode>,
    /// Its reply may take as long as the client allows.
    pub blocks: bool,
    /// The command was `REPLCONF ACK`, which nobody answers.
    pub is_ack: bool,
}

impl CommandLine {
    /// An empty line.
    pub fn new(options: Options) -> Self {
        Self {
            name: [0; NAME],
            name_len: 0,
            count: 0,
            known: None,
            secrets_left: 0,
            is_get: false,
            options,
            text: Vec::new(),
            hide_reply: false,
            reply_mode: None,
            blocks: false,
            is_ack: false,
        }
    }

    /// Forgets the last command.
    pub fn reset(&mut self) {
        self.name_len = 0;
        self.count = 0;
        self.known = None;
        self.secrets_left = 0;
        self.is_get = false;
        self.text.clear();
        self.hide_reply = false;
        self.reply_mode = None;
        self.blocks = false;
        self.is_ack = false;
    }

    /// The name in capitals, at most 32 bytes; empty when it is not printable.
    pub fn name(&self) -> &str {
        std::str::from_utf8(&self.name[..usize::from(self.name_len)]).unwrap_or("")
    }

    /// Arguments, without the name.
    pub fn arguments(&self) -> u32 {
        self.count.saturating_sub(1)
    }

    /// What is special about the command.
    pub fn act(&self) -> Act {
        self.known.map_or(Act::Plain, |command| command.act)
    }

    /// The topic it subscribes to or leaves.
    pub fn topic(&self) -> Option<Topic> {
        match self.act() {
            Act::Subscribe(topic) | Act::Unsubscribe(topic) => Some(topic),
            _ => None,
        }
    }

    /// Bytes of the next argument that could still be of use.
    pub fn room(&self) -> usize {
        (self.options.max_command_bytes + 4).saturating_sub(self.text.len()).max(NAME)
    }

    /// Takes the next argument, maybe only its first bytes.
    pub fn argument(&mut self, data: &[u8]) {
        let number = self.count;
        self.count = self.count.saturating_add(1);
        let limit = self.options.max_command_bytes;
        if number == 0 {
            self.take_name(data);
            self.text.extend_from_slice(&self.name[..usize::from(self.name_len)]);
            return;
        }
        let masked = self.look(number, data) && self.options.obfuscate != Obfuscate::Off;
        let masked = masked || (self.options.obfuscate == Obfuscate::Values && self.values().covers(number));
        if self.text.len() < limit {
            self.text.push(b' ');
            push_printable(&mut self.text, if masked { b"?" } else { data }, limit);
        }
    }

    fn take_name(&mut self, data: &[u8]) {
        let len = data.len().min(NAME);
        for (to, from) in self.name.iter_mut().zip(&data[..len]) {
            *to = if (0x21..0x7f).contains(from) { from.to_ascii_uppercase() } else { b'?' };
        }
        self.name_len = len as u8;
        self.known = if data.len() <= NAME { find(&self.name[..len]) } else { None };
        self.blocks = self.act() == Act::Blocking;
    }

    fn values(&self) -> Values {
        // What an unknown command stores is unknown; its first argument is a key in nearly every module.
        self.known.map_or(Values::From(2), |command| command.values)
    }

    /// Notes what the argument means; true when it is a secret.
    fn look(&mut self, number: u32, data: &[u8]) -> bool {
        let act = self.act();
        if matches!(act, Act::Plain | Act::Blocking) {
            return false;
        }
        if self.secrets_left > 0 {
            self.secrets_left -= 1;
            return true;
        }
        match act {
            Act::Auth => return true,
            Act::MayBlock => self.blocks |= is(data, b"BLOCK"),
            Act::Hello if is(data, b"AUTH") => self.secrets_left = 2,
            Act::Migrate if number > 5 && is(data, b"AUTH") => self.secrets_left = 1,
            Act::Migrate if number > 5 && is(data, b"AUTH2") => self.secrets_left = 2,
            Act::Acl if number == 1 => {
                self.hide_reply = is(data, b"LIST") || is(data, b"GETUSER") || is(data, b"GENPASS");
            }
            Act::Acl => return matches!(data.first(), Some(b'>' | b'<' | b'#' | b'!')),
            Act::Config if is(data, b"GET") && number <= 2 => self.is_get = true,
            // Only settings that may hold a password hide the reply to CONFIG GET.
            Act::Config if self.is_get => {
                self.hide_reply |= names_secret(data) || data.iter().any(|byte| matches!(byte, b'*' | b'?' | b'['));
            }
            Act::Config => self.secrets_left = u8::from(names_secret(data)),
            Act::Client if number == 1 && is(data, b"REPLY") => self.reply_mode = Some(ReplyMode::On),
            Act::Client if number == 2 && self.reply_mode.is_some() => {
                self.reply_mode = Some(match () {
                    () if is(data, b"OFF") => ReplyMode::Off,
                    () if is(data, b"SKIP") => ReplyMode::Skip,
                    () => ReplyMode::On,
                });
            }
            Act::ReplConf if number == 1 => self.is_ack = is(data, b"ACK"),
            _ => {}
        }
        false
    }
}

fn is(data: &[u8], word: &[u8]) -> bool {
    data.eq_ignore_ascii_case(word)
}

/// Settings whose value is a secret: requirepass, masterauth, tls-key-file-pass, auth-pass, sentinel-pass, ...
fn names_secret(data: &[u8]) -> bool {
    let data = &data[..data.len().min(64)];
    let has = |word: &[u8]| data.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word));
    has(b"pass") || has(b"auth")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str, obfuscate: Obfuscate) -> String {
        let mut command = CommandLine::new(Options { obfuscate, ..Options::default() });
        line.split(' ').for_each(|word| command.argument(word.as_bytes()));
        String::from_utf8(command.text).unwrap()
    }

    #[test]
    fn secrets_are_masked() {
        for (line, expected) in [
            ("auth s3cret", "AUTH ?"),
            ("AUTH bob s3cret", "AUTH ? ?"),
            ("HELLO 3 AUTH bob s3cret SETNAME x", "HELLO 3 AUTH ? ? SETNAME x"),
            ("CONFIG SET maxmemory 1 requirepass s3cret", "CONFIG SET maxmemory 1 requirepass ?"),
            ("CONFIG SET masterauth s3cret", "CONFIG SET masterauth ?"),
            ("SENTINEL SET mymaster auth-pass s3cret", "SENTINEL SET mymaster auth-pass ?"),
            ("ACL SETUSER bob on >s3cret ~* +@all", "ACL SETUSER bob on ? ~* +@all"),
            ("MIGRATE h 1 k 0 5 COPY AUTH2 bob s3cret KEYS k", "MIGRATE h 1 k 0 5 COPY AUTH2 ? ? KEYS k"),
            ("SET key value", "SET key value"),
        ] {
            assert_eq!(shown(line, Obfuscate::Secrets), expected);
        }
        assert_eq!(shown("AUTH s3cret", Obfuscate::Off), "AUTH s3cret");
    }

    #[test]
    fn values_are_masked_when_asked() {
        for (line, expected) in [
            ("SET key value EX 10", "SET key ? EX 10"),
            ("HSET h a 1 b 2", "HSET h a ? b ?"),
            ("MSET a 1 b 2", "MSET a ? b ?"),
            ("LPUSH l 1 2", "LPUSH l ? ?"),
            ("GET key", "GET key"),
            ("JSON.SET doc $ {}", "JSON.SET doc ? ?"),
            ("AUTH s3cret", "AUTH ?"),
        ] {
            assert_eq!(shown(line, Obfuscate::Values), expected);
        }
    }

    #[test]
    fn replies_with_secrets_are_marked() {
        for (line, hidden) in [
            ("CONFIG GET requirepass", true),
            ("CONFIG GET *", true),
            ("CONFIG GET maxmemory", false),
            ("CONFIG GET maxmemory requirepass", true),
            ("SENTINEL CONFIG GET sentinel-pass", true),
            ("CONFIG SET maxmemory 1", false),
            ("ACL LIST", true),
            ("ACL WHOAMI", false),
        ] {
            let mut command = CommandLine::new(Options::default());
            line.split(' ').for_each(|word| command.argument(word.as_bytes()));
            assert_eq!(command.hide_reply, hidden, "{line}");
        }
    }

    #[test]
    fn a_line_is_bounded() {
        let mut command = CommandLine::new(Options { max_command_bytes: 64, ..Options::default() });
        command.argument(b"mset");
        for _ in 0..100 {
            command.argument(&[b'x'; 40]);
        }
        assert_eq!(command.text.len(), 64);
        assert_eq!(command.arguments(), 100);
    }
}
