use super::{Trace, TraceRules};

fn seen(headers: &[(&str, &str)]) -> Trace {
    let mut trace = Trace::default();
    for (name, value) in headers {
        TraceRules::default().see(name.as_bytes(), value.as_bytes(), &mut trace);
    }
    trace
}

fn ids(headers: &[(&str, &str)]) -> (String, String, String) {
    let trace = seen(headers);
    (trace.trace_id().to_owned(), trace.span_id().to_owned(), trace.parent_span_id().to_owned())
}

fn expect(trace: &str, span: &str, parent: &str) -> (String, String, String) {
    (trace.to_owned(), span.to_owned(), parent.to_owned())
}

const W3C: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// The example of SkyWalking's "Cross Process Propagation Headers Protocol v3".
const SW8: &str = "1-TRACEID-SEGMENTID-3-U0VSVklDRQ==-SU5TVEFOQ0U=-L2FwcA==-MTI3LjAuMC4xOjgwODA=";

#[test]
fn w3c() {
    let good = expect("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "");
    assert_eq!(ids(&[("TraceParent", W3C)]), good);
    assert_eq!(ids(&[("traceparent", &W3C.replace("00-4", "cc-4").replace("-01", "-01-new"))]), good);
    for bad in [
        "",
        "00-4bf9-00f067aa0ba902b7-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
    ] {
        assert_eq!(ids(&[("traceparent", bad)]), expect("", "", ""), "{bad}");
    }
}

#[test]
fn zipkin() {
    let single = "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1-05e3ac9a4f6e3b90";
    let good = expect("80f198ee56343ba864fe8b2a57d3eff7", "e457b5a2e4d86bd1", "05e3ac9a4f6e3b90");
    assert_eq!(ids(&[("b3", single)]), good);
    assert_eq!(ids(&[("b3", "0")]), expect("", "", ""));
    let several = [
        ("X-B3-ParentSpanId", "05e3ac9a4f6e3b90"),
        ("X-B3-TraceId", "80f198ee56343ba864fe8b2a57d3eff7"),
        ("X-B3-SpanId", "e457b5a2e4d86bd1"),
    ];
    assert_eq!(ids(&several), good);
}

#[test]
fn jaeger() {
    assert_eq!(ids(&[("uber-trace-id", "5b2b4e57b8a4c0f1:1f:0:1")]), expect("5b2b4e57b8a4c0f1", "1f", ""));
    assert_eq!(ids(&[("uber-trace-id", "5b2b%3A1f%3A2e%3A1")]), expect("5b2b", "1f", "2e"));
    assert_eq!(ids(&[("uber-trace-id", "nonsense")]), expect("", "", ""));
}

#[test]
fn skywalking() {
    let sw8 = SW8.replace("TRACEID", "dHJhY2U=").replace("SEGMENTID", "c2VnbWVudA==");
    assert_eq!(ids(&[("sw8", &sw8)]), expect("trace", "segment-3", ""));
    assert_eq!(ids(&[("sw6", &sw8)]), expect("trace", "segment-3", ""));
    assert_eq!(ids(&[("sw8", "1-!!-c2Vn-3")]), expect("", "", ""));
    let sw3 = "1.2343.234|1|1|1|#127.0.0.1:8080|#/portal/|#/test|1.2343.111|1";
    assert_eq!(ids(&[("sw3", sw3)]), expect("1.2343.111", "1.2343.234-1", ""));
}

#[test]
fn the_order_of_the_rules_decides_not_the_order_of_the_headers() {
    let uber = ("uber-trace-id", "5b2b4e57b8a4c0f1:1f:0:1");
    for headers in [[uber, ("traceparent", W3C)], [("traceparent", W3C), uber]] {
        let trace = seen(&headers);
        assert_eq!(trace.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(trace.trace_id_2(), "5b2b4e57b8a4c0f1");
    }
}

#[test]
fn a_scratch_is_clean_after_clear() {
    let mut trace = seen(&[("uber-trace-id", "5b2b:1f:0:1"), ("traceparent", W3C), ("x-b3-spanid", "12")]);
    trace.clear();
    assert_eq!((trace.trace_id(), trace.span_id(), trace.trace_id_2()), ("", "", ""));
}

#[test]
fn own_names_and_wrong_options() {
    let rules = TraceRules::parse("x-my-trace, Other = uber-trace-id").unwrap();
    let mut trace = Trace::default();
    rules.see(b"other", b"ab:cd:0:1", &mut trace);
    assert_eq!((trace.trace_id(), trace.span_id()), ("ab", "cd"));
    rules.see(b"X-My-Trace", b" t-1 ", &mut trace);
    assert_eq!(trace.trace_id(), "t-1");
    assert!(TraceRules::parse("a=b").unwrap_err().contains("unknown format"));
    assert!(TraceRules::parse("a b").unwrap_err().contains("not a header name"));
}

#[test]
fn ids_of_clouds_and_products() {
    for (headers, trace_id, span_id) in [
        (
            &[("x-datadog-trace-id", "1234567890123456789"), ("x-datadog-parent-id", "98765")][..],
            "1234567890123456789",
            "98765",
        ),
        (&[("x-datadog-trace-id", "0")], "", ""),
        (
            &[(
                "X-Amzn-Trace-Id",
                "Self=1-2-3;Root=1-67891233-abcdef012345678912345678;Parent=463ac35c9f6413ad;Sampled=1",
            )],
            "1-67891233-abcdef012345678912345678",
            "463ac35c9f6413ad",
        ),
        (&[("X-Amzn-Trace-Id", "Sampled=1")], "", ""),
        (
            &[("X-Cloud-Trace-Context", "105445aa7843bc8bf206b12000100000/7;o=1")],
            "105445aa7843bc8bf206b12000100000",
            "7",
        ),
        (&[("X-Cloud-Trace-Context", "105445aa7843bc8bf206b12000100000")], "105445aa7843bc8bf206b12000100000", ""),
        (&[("X-Cloud-Trace-Context", "nothing/1")], "", ""),
        (&[("x-tingyun", "c=1|abc;x=5f2deadbeef;e=1")], "5f2deadbeef", ""),
        (&[("x-tingyun", "c=1|abc")], "", ""),
        (&[("EagleEye-RpcId", "0.1.3"), ("EagleEye-TraceId", "0a1bd23416")], "0a1bd23416", "0.1.3"),
        (&[("EagleEye-RpcId", "0.1.3")], "", ""),
    ] {
        let trace = seen(headers);
        assert_eq!((trace.trace_id(), trace.span_id()), (trace_id, span_id), "{headers:?}");
    }
    let both = seen(&[
        ("x-amzn-trace-id", "Root=1-1-1"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ]);
    assert_eq!(both.trace_id(), "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(both.trace_id_2(), "1-1-1");
}
