//! What a body tells, whatever it is serialized with.

mod hessian;
mod json;
mod jsonb;
mod kryo;

use crate::codes::{FASTJSON, FASTJSON2, GSON, HESSIAN2, KRYO, KRYO2};
use crate::options::Options;
use metaflow_parser_sdk::lossy;
use metaflow_parser_sdk::trace::Trace;

/// Longest text that is kept.
const LONGEST: usize = 1024;
/// Bytes at the end of a body that are searched.
const SEARCHED: usize = 4096;
/// Attachments of a message that are looked at.
const ATTACHMENTS: usize = 256;

/// Cleared for each message and used again.
#[derive(Debug, Default)]
pub(crate) struct Body {
    /// Version of the Dubbo protocol.
    pub dubbo: String,
    pub service: String,
    /// Version and group of the service, and what is called through a generic call.
    pub service_version: String,
    pub group: String,
    pub method: String,
    pub types: String,
    pub generic: String,
    pub application: String,
    /// The exception of a response: its class, and what it says.
    pub exception: String,
    /// What a response with an error says, or what an exception says.
    pub message: String,
    pub trace: Trace,
    /// The span of EagleEye, where a trace has none of its own.
    pub span: String,
}

impl Body {
    pub fn clear(&mut self) {
        for text in [
            &mut self.dubbo,
            &mut self.service,
            &mut self.service_version,
            &mut self.group,
            &mut self.method,
            &mut self.types,
            &mut self.generic,
            &mut self.application,
            &mut self.exception,
            &mut self.message,
            &mut self.span,
        ] {
            text.clear();
        }
        self.trace.clear();
    }

    /// Read the body of a request; what cannot be read stays empty.
    pub fn request(&mut self, serialization: u8, bytes: &[u8], options: &Options) {
        let _ = match serialization {
            HESSIAN2 => hessian::request(bytes, self, options),
            FASTJSON | GSON => json::request(bytes, self, options),
            FASTJSON2 => jsonb::request(bytes, self, options),
            KRYO | KRYO2 => kryo::request(bytes, self, options),
            _ => None,
        };
    }

    /// Read the body of a response; `is_error`: its status is not OK, so that its body is a text.
    pub fn response(&mut self, serialization: u8, bytes: &[u8], is_error: bool, options: &Options) {
        let _ = match serialization {
            HESSIAN2 => hessian::response(bytes, is_error, self, options),
            FASTJSON | GSON => json::response(bytes, is_error, self, options),
            FASTJSON2 => jsonb::response(bytes, is_error, self, options),
            KRYO | KRYO2 => kryo::response(bytes, is_error, self),
            _ => None,
        };
    }

    /// Look at one attachment.
    fn attachment(&mut self, name: &[u8], value: &[u8], options: &Options) {
        match name {
            b"group" => keep(&mut self.group, value),
            b"remote.application" | b"dubboApplication" if self.application.is_empty() => {
                keep(&mut self.application, value);
            }
            b"EagleEye-RpcID" | b"eagleeye-rpcid" | b"EagleEye-SpanID" => keep(&mut self.span, value),
            _ => {}
        }
        options.trace.see(name, value, &mut self.trace);
    }

    /// Search for the attachments of a trace by their names, where what stands before them cannot be read. `name` gives a
    /// name as it is serialized, `value` reads what stands behind one.
    fn search<'a>(
        &mut self,
        bytes: &'a [u8],
        options: &Options,
        name: impl Fn(&str) -> Vec<u8>,
        value: impl Fn(&'a [u8]) -> Option<Vec<u8>>,
    ) {
        // Attachments stand at the end.
        let bytes = &bytes[bytes.len().saturating_sub(SEARCHED)..];
        for wanted in &options.names {
            let serialized = name(wanted);
            let found = bytes.windows(serialized.len().max(1)).position(|part| is_same_name(part, &serialized));
            let Some(rest) = found.and_then(|at| bytes.get(at + serialized.len()..)) else { continue };
            if let Some(value) = value(rest) {
                options.trace.see(wanted.as_bytes(), &value, &mut self.trace);
            }
        }
    }
}

/// Equal but for the case of letters; the highest bits are marks of the serialization.
fn is_same_name(one: &[u8], other: &[u8]) -> bool {
    let is_same = |(a, b): (&u8, &u8)| a & 0x80 == b & 0x80 && (a & 0x7f).eq_ignore_ascii_case(&(b & 0x7f));
    one.iter().zip(other).all(is_same)
}

/// Keep a text, cut to its longest.
fn keep(place: &mut String, text: &[u8]) {
    place.clear();
    place.push_str(&lossy(&text[..text.len().min(LONGEST)]));
}

/// How many parameters a descriptor of types names (`Ljava/lang/String;[I` are two).
fn parameters(types: &[u8]) -> usize {
    let (mut count, mut at) = (0, 0);
    while at < types.len() {
        match types[at] {
            b'[' => {}
            b'L' => {
                count += 1;
                at += types[at..].iter().position(|byte| *byte == b';').unwrap_or(types.len());
            }
            _ => count += 1,
        }
        at += 1;
    }
    count
}
