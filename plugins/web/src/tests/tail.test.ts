import { describe, expect, it } from "vitest";
import { eventsOf } from "../api/tail";
import { completePromql, nameOf, promqlCurl, readMatrix } from "../data/promql";
import { readFindings } from "../screens/doctor";
import { tailPath } from "../screens/tail";

describe("server-sent events", () => {
  it("are whole, in whatever pieces they come", () => {
    const text = ': following\n\ndata: {"rows":[]}\n\nevent: end\ndata: {}\n\ndata: {"ro';
    const { events, rest } = eventsOf(text);
    expect(events).toEqual([{ event: "message", data: '{"rows":[]}' }, { event: "end", data: "{}" }]);
    expect(rest).toBe('data: {"ro');
    expect(eventsOf("data: a\r\ndata: b\r\n\r\n").events[0]?.data).toBe("a\nb");
  });
  it("are asked for with the filters as a condition", () => {
    const path = tailPath([{ column: "endpoint", op: "=", value: "it's" }]);
    expect(new URLSearchParams(path.split("?")[1]).get("where")).toBe("endpoint = 'it''s'");
  });
});

describe("PromQL", () => {
  const body = { data: { result: [{ metric: { __name__: "up", job: "a" }, values: [[10, "1"], [20, "NaN"], [30, "3"]] }, { metric: {}, values: [[10, "2"]] }] } };
  it("becomes a table and lines", () => {
    const { table, lines } = readMatrix(body);
    expect(table.rows[0]).toEqual(["up", "a", 3, 2, 3]);
    expect(lines?.times).toEqual([10, 20, 30]);
    expect(lines?.lines[0]?.values).toEqual([1, null, 3]);
    expect(readMatrix(null).table.rows).toEqual([]);
    expect(nameOf({ __name__: "up", job: 'a"b' })).toBe('up{job="a\\"b"}');
  });
  it("completes names, and labels inside of braces", () => {
    expect(completePromql("sum(htt", 7, ["http_requests_total"], ["job"])[0]?.text).toBe("http_requests_total");
    expect(completePromql("up{jo", 5, ["job_x"], ["job"])).toEqual([{ text: "job", what: "label" }]);
    expect(completePromql("sum by (jo", 10, ["job_x"], ["job"])).toEqual([{ text: "job", what: "label" }]);
    expect(completePromql('up{job="jo', 10, ["job_x"], ["job"])).toEqual([]);
  });
  it("can be copied for a shell", () => {
    expect(promqlCurl("up{a='b'}", "http://x/q", 1, 2, 3)).toBe("curl -s 'http://x/q' --data-urlencode 'query=up{a='\\''b'\\''}' -d start=1 -d end=2 -d step=3");
  });
});

describe("doctor", () => {
  it("puts what needs something done first", () => {
    const findings = readFindings({ findings: [{ state: "ok", subject: "a" }, { state: "problem", subject: "b", remedy: "c" }] });
    expect(findings.map((one) => one.subject)).toEqual(["b", "a"]);
    expect(readFindings("nonsense")).toEqual([]);
  });
});
