// @ts-expect-error: the types of Node are no dependency, and this is the only place that starts a program
import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { counted } from "../data/counted";
import { curl, identityOf, oneRow } from "../data/queries";
import { condition, parseFilter, parseFilters, quote, where, writeFilter, writeFilters } from "../data/sql";

const RANGE = { from: 10, to: 20, live: false, moved: false };

test("a value with quotes stays a value", () => {
  expect(quote("O'Brien")).toBe("'O''Brien'");
  expect(quote("a\\'; SHOW TABLES")).toBe("'a\\\\''; SHOW TABLES'");
  expect(condition({ column: "endpoint", op: "=", value: "'; --" })).toBe("endpoint = '''; --'");
});

test("filters survive the address", () => {
  for (const value of ["", "a=b", "x!=y", "<img src=x onerror=alert(1)>", "naïve ☃", "['\"]"]) {
    for (const op of ["=", "!=", "like"] as const) {
      const filter = { column: "endpoint", op, value };
      expect(parseFilter(writeFilter(filter))).toEqual(filter);
      expect(parseFilters(writeFilters([filter, filter]))).toEqual([filter, filter]);
    }
  }
  for (const broken of ["{", "[1]", "[\"no operator\"]", "null", "[\"a b=1\"]"]) expect(parseFilters(broken)).toEqual([]);
});

test("values of one column are alternatives, columns are demands", () => {
  const text = where(RANGE, [
    { column: "l7_protocol", op: "=", value: "HTTP" },
    { column: "l7_protocol", op: "=", value: "DNS" },
    { column: "server_port", op: "=", value: "80" },
    { column: "endpoint", op: "!=", value: "/ping" },
  ]);
  expect(text).toBe("time >= 10 and time < 20 and (l7_protocol = 'HTTP' or l7_protocol = 'DNS') and server_port = 80 and endpoint != '/ping'");
});

test("numbers are compared as numbers only when they are some", () => {
  expect(condition({ column: "response_code", op: "=", value: "500" })).toBe("response_code = 500");
  expect(condition({ column: "response_code", op: "=", value: "" })).toBe("response_code is null");
  expect(condition({ column: "response_code", op: "=", value: "5 or 1=1" })).toBe("response_code = '5 or 1=1'");
});

test("curl keeps single quotes of the question inside its own", () => {
  const command = curl({ db: "flow_log", sql: "SELECT 'a'" }, "http://127.0.0.1/v1/query");
  expect(command).toContain(`'{"db":"flow_log","sql":"SELECT '\\''a'\\''"}'`);
});

test("a row is found again by what tells it from others, and an address cannot smuggle anything in", () => {
  const row = { flow_id: "17169823999744231224", start_time: "2026-11-21T07:27:15.630460Z", end_time: "2026-11-21T07:27:15.630478Z", req_tcp_seq: 7 };
  expect(oneRow("l7_flow_log", identityOf("l7_flow_log", row))?.sql).toBe(
    "SELECT * FROM l7_flow_log WHERE flow_id = 17169823999744231224 and start_time = '2026-11-21T07:27:15.630460Z' " +
      "and end_time = '2026-11-21T07:27:15.630478Z' and req_tcp_seq = 7 LIMIT 1",
  );
  expect(oneRow("l7_flow_log", "1|x' or '1'='1|2|3")?.sql).toContain("start_time = 'x'' or ''1''=''1'");
  for (const wrong of ["", "1", "1|2|3|4|5"]) expect(oneRow("l7_flow_log", wrong)).toBeNull();
});

test("a call that was seen at several places counts once", () => {
  const now = { oldest: 5, newest: 30 };
  const seen = (kinds: Record<string, { oldest: number; newest: number }>) => ({ ...RANGE, sources: { kinds } });
  expect(counted(RANGE)).toEqual([]);
  expect(counted(seen({ packet: now }))).toEqual([]);
  expect(counted(seen({ otel: now }))).toEqual([]);
  expect(counted(seen({ packet: now, otel: now }))).toEqual(["signal_source = 0"]);
  const end = "(observation_point = 's-p' or gprocess_id_1 = 0)";
  expect(counted(seen({ packet: now, ebpf: now }))).toEqual([`(signal_source = 0 or (signal_source = 3 and is_tls = 1 and ${end}))`]);
  // packets of another time say nothing
  expect(counted(seen({ packet: { oldest: 40, newest: 50 }, ebpf: now }))).toEqual([`signal_source = 3 and ${end}`]);
  expect(counted(seen({ packet: now, ebpf: now }), [{ column: "observation_point", op: "=", value: "c-p" }])).toEqual([]);
});

test("what is copied for a shell stays one word each, whatever names are in it", () => {
  const hostile = `'; touch /tmp/x; $(id) \`id\` "\\ \n !! ' & <img src=x>`;
  const question = { db: "flow_log", sql: `SELECT 1 FROM t WHERE ${condition({ column: "endpoint", op: "=", value: hostile })}` };
  const command = curl(question, "http://127.0.0.1/it's/v1/query").replace(/^curl/, "printf '%s\\0'");
  const words = execFileSync("sh", ["-c", command], { encoding: "utf8" }).split("\0");
  expect(words).toEqual(["-s", "http://127.0.0.1/it's/v1/query", "-H", "content-type: application/json", "-d", JSON.stringify(question), ""]);
});
