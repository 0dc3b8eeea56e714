//! Trace context in headers: which header has which format, and which of several wins.
//!
//! Used by every protocol with headers (HTTP, HTTP/2, Kafka, AMQP, NATS): keep one [`TraceRules`] from the options and one
//! [`Trace`] as a scratch that is cleared for each message.
//!
//! ```
//! use metaflow_parser_sdk::trace::{Trace, TraceRules};
//! let rules = TraceRules::parse("traceparent, sw8, x-request-trace=raw").unwrap();
//! let mut trace = Trace::default();
//! rules.see(b"X-Request-Trace", b"abc", &mut trace);
//! rules.see(b"Traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", &mut trace);
//! assert_eq!(trace.trace_id(), "0af7651916cd43dd8448eb211c80319c");
//! assert_eq!(trace.trace_id_2(), "abc");
//! ```

mod base64;
mod format;
mod names;

pub use format::Format;
use format::Ids;
pub use names::Names;

/// The headers that carry a trace, first come first in priority.
#[derive(Clone, Debug)]
pub struct TraceRules {
    /// Lower-case name and format.
    rules: Vec<(String, Format)>,
    /// Most headers end their look-up here.
    names: Names,
}

impl Default for TraceRules {
    /// traceparent, sw8, sw6, sw3, b3, x-b3-*, uber-trace-id, eagleeye-*, x-datadog-*, x-tingyun, x-cloud-trace-context,
    /// x-amzn-trace-id. What load balancers add of themselves comes last.
    fn default() -> TraceRules {
        let names = [
            "traceparent",
            "sw8",
            "sw6",
            "sw3",
            "b3",
            "x-b3-traceid",
            "uber-trace-id",
            "eagleeye-traceid",
            "x-datadog-trace-id",
            "x-tingyun",
            "x-cloud-trace-context",
            "x-amzn-trace-id",
        ];
        let mut rules = TraceRules { rules: Vec::new(), names: Names::default() };
        for (name, format) in names.iter().filter_map(|name| Some((*name, named(name)?))) {
            rules.add(name, format);
        }
        rules
    }
}

/// The trace and span id of one value whose header (or key) has a format of its own; names are compared without case.
pub(crate) fn ids_of(name: &str, value: &str) -> Option<(String, String)> {
    let format = named(&name.to_ascii_lowercase())?;
    let mut ids = Ids::default();
    format::read(format, value, &mut ids)?;
    (!ids.trace_id.is_empty()).then_some((ids.trace_id, ids.span_id))
}

fn named(name: &str) -> Option<Format> {
    format::NAMES.iter().find(|(known, _)| *known == name).map(|(_, format)| *format)
}

impl TraceRules {
    /// Rules from an option: names separated by commas, each with `=format` where the name does not say it; the format of
    /// a name that is not known is `raw` (the whole value is the trace id).
    ///
    /// # Errors
    /// A sentence when a name is not a header name or a format is not known.
    pub fn parse(option: &str) -> Result<TraceRules, String> {
        let mut rules = TraceRules { rules: Vec::new(), names: Names::default() };
        for item in option.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            let (name, format) =
                item.split_once('=').map_or((item, None), |(name, format)| (name.trim(), Some(format.trim())));
            let name = name.to_ascii_lowercase();
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':') {
                return Err(format!(
                    "Trace header {item:?} is not a header name: expected for example traceparent or my-trace=raw."
                ));
            }
            let format = match format {
                None => named(&name).unwrap_or(Format::Raw),
                Some(format) => named(&format.to_ascii_lowercase()).ok_or_else(|| {
                    let known: Vec<&str> = format::NAMES.iter().map(|(name, _)| *name).collect();
                    format!("Trace header {item:?} has an unknown format: expected one of {}.", known.join(", "))
                })?,
            };
            rules.add(&name, format);
        }
        Ok(rules)
    }

    fn add(&mut self, name: &str, format: Format) {
        self.rules.push((name.to_owned(), format));
        self.names.add(name);
        if format == Format::B3TraceId {
            // One propagation in three headers: who asks for the first gets the others.
            self.add("x-b3-spanid", Format::B3SpanId);
            self.add("x-b3-parentspanid", Format::B3ParentSpanId);
        }
        if format == Format::DatadogTraceId {
            self.add("x-datadog-parent-id", Format::DatadogParentId);
        }
        if format == Format::EagleEyeTraceId {
            self.add("eagleeye-rpcid", Format::EagleEyeRpcId);
        }
    }

    /// The names of the headers that are looked at.
    pub const fn names(&self) -> &Names {
        &self.names
    }

    /// Look at one header of the message; names are compared without case.
    #[inline]
    pub fn see(&self, name: &[u8], value: &[u8], trace: &mut Trace) {
        if self.names.may_have(name) {
            self.see_candidate(name, value, trace);
        }
    }

    fn see_candidate(&self, name: &[u8], value: &[u8], trace: &mut Trace) {
        let matches = |(known, _): &(String, Format)| known.as_bytes().eq_ignore_ascii_case(name);
        let Some(rank) = self.rules.iter().position(matches) else { return };
        let Ok(value) = std::str::from_utf8(value) else { return };
        let format = self.rules[rank].1;
        let mut ids = std::mem::take(&mut trace.scratch);
        if format::read(format, value, &mut ids).is_some() {
            match format {
                Format::B3SpanId => trace.b3_span.clone_from(&ids.span_id),
                Format::B3ParentSpanId => trace.b3_parent.clone_from(&ids.parent_span_id),
                Format::DatadogParentId => trace.datadog_span.clone_from(&ids.span_id),
                Format::EagleEyeRpcId => trace.eagleeye_span.clone_from(&ids.span_id),
                _ => trace.offer(rank, format, &mut ids),
            }
        }
        trace.scratch = ids;
    }
}

/// What the headers of one message say about its trace. Clear it and use it again.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    best: Option<(usize, Format)>,
    first: Ids,
    second: Ids,
    b3_span: String,
    b3_parent: String,
    datadog_span: String,
    eagleeye_span: String,
    scratch: Ids,
}

impl Trace {
    /// Forget the message before.
    #[inline]
    pub fn clear(&mut self) {
        if self.best.take().is_some() {
            self.first.clear();
            self.second.clear();
        }
        self.b3_span.clear();
        self.b3_parent.clear();
        self.datadog_span.clear();
        self.eagleeye_span.clear();
    }

    /// Keep the ids if their rule is better than the best so far; the loser may become the second trace.
    fn offer(&mut self, rank: usize, format: Format, ids: &mut Ids) {
        match self.best {
            None => std::mem::swap(&mut self.first, ids),
            Some((best, _)) if rank < best => {
                std::mem::swap(&mut self.second, &mut self.first);
                std::mem::swap(&mut self.first, ids);
            }
            Some(_) => {
                if self.second.trace_id.is_empty() && self.first.trace_id != ids.trace_id {
                    std::mem::swap(&mut self.second, ids);
                }
                return;
            }
        }
        self.best = Some((rank, format));
    }

    /// The trace id, "" without one.
    pub fn trace_id(&self) -> &str {
        &self.first.trace_id
    }

    /// Another trace id that a header of lower priority carried, "" without one.
    pub fn trace_id_2(&self) -> &str {
        if self.second.trace_id == self.first.trace_id {
            ""
        } else {
            &self.second.trace_id
        }
    }

    /// The span of the sender, "" without one.
    pub fn span_id(&self) -> &str {
        match self.best {
            Some((_, Format::B3TraceId)) => &self.b3_span,
            Some((_, Format::DatadogTraceId)) => &self.datadog_span,
            Some((_, Format::EagleEyeTraceId)) => &self.eagleeye_span,
            _ => &self.first.span_id,
        }
    }

    /// The parent of that span, "" without one.
    pub fn parent_span_id(&self) -> &str {
        match self.best {
            Some((_, Format::B3TraceId)) => &self.b3_parent,
            _ => &self.first.parent_span_id,
        }
    }

    /// Set the trace columns of a record.
    #[inline]
    pub fn write(&self, out: &mut crate::Records) {
        if self.best.is_some() {
            out.text(crate::Text::TraceId, self.trace_id())
                .text(crate::Text::SpanId, self.span_id())
                .text(crate::Text::ParentSpanId, self.parent_span_id())
                .text(crate::Text::TraceId2, self.trace_id_2());
        }
    }
}

#[cfg(test)]
mod tests;
