//! The formats of trace headers, one function each: a header's value to the ids in it.

use super::base64;

/// How the value of a header carries a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// W3C Trace Context: `version-trace-parent-flags`, hexadecimal.
    Traceparent,
    /// Zipkin, one header: `trace-span[-sampled[-parent]]`.
    B3,
    /// Zipkin, several headers: the whole value is the trace id.
    B3TraceId,
    /// Zipkin, several headers: the whole value is the span id.
    B3SpanId,
    /// Zipkin, several headers: the whole value is the parent's span id.
    B3ParentSpanId,
    /// Jaeger: `trace:span:parent:flags`.
    Uber,
    /// SkyWalking 5: `|` between fields, the trace id is the eighth.
    Sw3,
    /// SkyWalking 6: `-` between fields, the ids in base64.
    Sw6,
    /// SkyWalking 8: as 6.
    Sw8,
    /// Datadog, several headers: the whole value is the trace id, decimal.
    DatadogTraceId,
    /// Datadog, several headers: the whole value is the sender's span, decimal.
    DatadogParentId,
    /// AWS X-Ray and its load balancers: `Root=trace;Parent=span;Sampled=1`, in any order.
    Amzn,
    /// Google Cloud: `trace/span;o=1`.
    CloudTrace,
    /// Tingyun: `c=...;x=trace;...`.
    Tingyun,
    /// EagleEye, two headers: the whole value is the trace id.
    EagleEyeTraceId,
    /// EagleEye, two headers: the whole value is the call's place in the trace (`0.1.3`), which caller and called share.
    EagleEyeRpcId,
    /// Any other header: the whole value is a trace id.
    Raw,
}

/// Every format with the name that options use.
pub(super) const NAMES: [(&str, Format); 17] = [
    ("traceparent", Format::Traceparent),
    ("b3", Format::B3),
    ("x-b3-traceid", Format::B3TraceId),
    ("x-b3-spanid", Format::B3SpanId),
    ("x-b3-parentspanid", Format::B3ParentSpanId),
    ("uber-trace-id", Format::Uber),
    ("sw3", Format::Sw3),
    ("sw6", Format::Sw6),
    ("sw8", Format::Sw8),
    ("x-datadog-trace-id", Format::DatadogTraceId),
    ("x-datadog-parent-id", Format::DatadogParentId),
    ("x-amzn-trace-id", Format::Amzn),
    ("x-cloud-trace-context", Format::CloudTrace),
    ("x-tingyun", Format::Tingyun),
    ("eagleeye-traceid", Format::EagleEyeTraceId),
    ("eagleeye-rpcid", Format::EagleEyeRpcId),
    ("raw", Format::Raw),
];

/// The ids of one value; empty where the format has none. Buffers are reused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ids {
    pub trace_id: String,
    pub span_id: String,
    pub parent_span_id: String,
}

impl Ids {
    pub fn clear(&mut self) {
        self.trace_id.clear();
        self.span_id.clear();
        self.parent_span_id.clear();
    }
}

/// Read a value into `ids`, which are cleared first. `None`: the value does not have this format.
pub(super) fn read(format: Format, value: &str, ids: &mut Ids) -> Option<()> {
    ids.clear();
    let value = value.trim();
    match format {
        Format::Traceparent => traceparent(value, ids),
        Format::B3 => b3(value, ids),
        Format::B3TraceId | Format::EagleEyeTraceId | Format::Raw => whole(value, &mut ids.trace_id),
        Format::B3SpanId | Format::EagleEyeRpcId => whole(value, &mut ids.span_id),
        Format::B3ParentSpanId => whole(value, &mut ids.parent_span_id),
        Format::Uber => uber(value, ids),
        Format::Sw3 => sw3(value, ids),
        Format::Sw6 | Format::Sw8 => sw8(value, ids),
        Format::DatadogTraceId => decimal(value, &mut ids.trace_id),
        Format::DatadogParentId => decimal(value, &mut ids.span_id),
        Format::Amzn => amzn(value, ids),
        Format::CloudTrace => cloud_trace(value, ids),
        Format::Tingyun => whole(field(value, "x")?, &mut ids.trace_id),
    }
}

fn whole(value: &str, out: &mut String) -> Option<()> {
    out.push_str(value);
    (!value.is_empty()).then_some(())
}

fn is_hex(text: &str, lengths: std::ops::RangeInclusive<usize>) -> bool {
    lengths.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_zero(text: &str) -> bool {
    text.bytes().all(|byte| byte == b'0')
}

/// <https://www.w3.org/TR/trace-context/>, 3.2: all-zero ids and version ff are invalid; later versions may have more fields.
fn traceparent(value: &str, ids: &mut Ids) -> Option<()> {
    let mut fields = value.split('-');
    let (version, trace, span) = (fields.next()?, fields.next()?, fields.next()?);
    let is_valid = is_hex(version, 2..=2)
        && version != "ff"
        && is_hex(trace, 32..=32)
        && !is_zero(trace)
        && is_hex(span, 16..=16)
        && !is_zero(span)
        && is_hex(fields.next()?, 2..=2);
    if !is_valid {
        return None;
    }
    ids.trace_id.push_str(trace);
    ids.span_id.push_str(span);
    Some(())
}

/// The single header of Zipkin's B3: a value of one field only carries the sampling decision.
fn b3(value: &str, ids: &mut Ids) -> Option<()> {
    let mut fields = value.split('-');
    let (trace, span) = (fields.next()?, fields.next()?);
    if !is_hex(trace, 16..=32) || !is_hex(span, 16..=16) {
        return None;
    }
    ids.trace_id.push_str(trace);
    ids.span_id.push_str(span);
    if let Some(parent) = fields.nth(1).filter(|parent| is_hex(parent, 16..=16)) {
        ids.parent_span_id.push_str(parent);
    }
    Some(())
}

/// Jaeger's native header; some clients escape the colons. A parent of 0 means none.
fn uber(value: &str, ids: &mut Ids) -> Option<()> {
    let (mut colons, mut escaped) = (value.split(':'), value.split("%3A"));
    let fields: &mut dyn Iterator<Item = &str> = if value.contains(':') { &mut colons } else { &mut escaped };
    let (trace, span, parent) = (fields.next()?, fields.next()?, fields.next()?);
    if !is_hex(trace, 1..=32) || !is_hex(span, 1..=16) {
        return None;
    }
    ids.trace_id.push_str(trace);
    ids.span_id.push_str(span);
    if is_hex(parent, 1..=16) && !is_zero(parent) {
        ids.parent_span_id.push_str(parent);
    }
    Some(())
}

/// `segment|span|parent instance|entry instance|peer|entry operation|parent operation|trace`.
fn sw3(value: &str, ids: &mut Ids) -> Option<()> {
    let mut fields = value.split('|');
    let (segment, span, trace) = (fields.next()?, fields.next()?, fields.nth(5)?);
    whole(trace, &mut ids.trace_id)?;
    span_of_segment(segment, span, &mut ids.span_id);
    Some(())
}

/// `sampled-trace-segment-span-...`, trace and segment in base64.
fn sw8(value: &str, ids: &mut Ids) -> Option<()> {
    let mut fields = value.split('-');
    let (_, trace, segment, span) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    base64::decode(trace, &mut ids.trace_id)?;
    base64::decode(segment, &mut ids.span_id)?;
    if ids.trace_id.is_empty() {
        return None;
    }
    ids.span_id.push('-');
    ids.span_id.push_str(span);
    Some(())
}

/// An id of 64 bits that is not 0.
fn decimal(value: &str, out: &mut String) -> Option<()> {
    (1..=20).contains(&value.len()).then_some(())?;
    (value.bytes().all(|byte| byte.is_ascii_digit()) && !is_zero(value)).then_some(())?;
    whole(value, out)
}

/// The value of a field in `name=value;name=value`.
fn field<'a>(value: &'a str, wanted: &str) -> Option<&'a str> {
    let mut fields = value.split(';').filter_map(|field| field.split_once('='));
    fields.find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim())
}

/// <https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html>: a load balancer adds `Self` and makes a `Root`.
fn amzn(value: &str, ids: &mut Ids) -> Option<()> {
    whole(field(value, "Root")?, &mut ids.trace_id)?;
    if let Some(parent) = field(value, "Parent").filter(|parent| is_hex(parent, 16..=16)) {
        ids.span_id.push_str(parent);
    }
    Some(())
}

/// <https://cloud.google.com/trace/docs/trace-context>: the trace is hexadecimal, the span decimal.
fn cloud_trace(value: &str, ids: &mut Ids) -> Option<()> {
    let ids_only = value.split(';').next()?;
    let (trace, span) = ids_only.split_once('/').unwrap_or((ids_only, ""));
    if !is_hex(trace, 32..=32) || is_zero(trace) {
        return None;
    }
    ids.trace_id.push_str(trace);
    if span.bytes().all(|byte| byte.is_ascii_digit()) && !is_zero(span) {
        ids.span_id.push_str(span);
    }
    Some(())
}

/// A span of SkyWalking is unique inside its segment only: `segment-span`.
fn span_of_segment(segment: &str, span: &str, out: &mut String) {
    out.push_str(segment);
    out.push('-');
    out.push_str(span);
}
