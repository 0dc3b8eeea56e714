import { expect, test } from "vitest";
import { refusal } from "../api/client";
import { parseJson, quoteLongNumbers } from "../api/json";
import { measured, records, tableFrom } from "../api/table";
import { complete, readCatalog } from "../data/complete";
import { whatOf } from "../data/names";
import { linesOf } from "../data/series";
import { readStatus, stageAtZero, stagesOf } from "../data/status";
import { heatOf, rowOf } from "../ui/heat";

test("an answer of the querier is columns and rows", () => {
  const table = tableFrom({ result: { columns: ["a", "b"], values: [[1, null]], schemas: [{ unit: "us", value_type: "int" }] }, warnings: ["cut"] });
  expect(table.columns[0]).toEqual({ name: "a", type: "int", unit: "us" });
  expect(records(table)).toEqual([{ a: 1, b: null }]);
  expect(table.warnings).toEqual(["cut"]);
});

test("anything else is empty, and never throws", () => {
  for (const body of [null, 3, "x", [], {}, { result: null }, { result: { columns: 3, values: "x", schemas: {} } }]) {
    expect(tableFrom(body)).toEqual({ columns: [], rows: [], warnings: [] });
    expect(readStatus(body).components).toEqual([]);
    expect(readCatalog(body)).toEqual([]);
  }
});

test("ids of 64 bits stay exact", () => {
  expect(parseJson('{"id":17169823999744231224,"n":12}')).toEqual({ id: "17169823999744231224", n: 12 });
  expect(JSON.parse(quoteLongNumbers('["a 17169823999744231224 \\" 1","é",-17169823999744231224,1.1234567890123456789,12]'))).toEqual([
    'a 17169823999744231224 " 1', "é", "-17169823999744231224", 1.1234567890123457, 12,
  ]);
});

test("no measurement is not zero", () => {
  expect(measured(null)).toBeNull();
  expect(measured("")).toBeNull();
  expect(measured(0)).toBe(0);
});

test("a refusal is a sentence, whatever it looks like", () => {
  expect(refusal({ OPT_STATUS: "FAILED", DESCRIPTION: "there is no column 'x'", error: "query" }, 400, "v1/query")).toBe("there is no column 'x'");
  expect(refusal({ error: { message: "busy" } }, 503, "v1/query")).toBe("busy");
  expect(refusal(null, 404, "v1/status")).toContain("v1/status");
  expect(refusal("", 500, "v1/query")).toContain("500");
});

test("the first stage at zero is named", () => {
  const counter = (component: string, stage: string, reason: string, unit: string, value: number) => ({ component, stage, reason, unit, value });
  const counters = [counter("collector.cbpf", "received", "", "packets", 9), counter("engine.flow", "sent", "", "records", 4), counter("engine.flow@live", "dropped", "fault", "records", 2)];
  expect(stageAtZero(stagesOf([], 0, 0))?.name).toBe("Captured");
  expect(stageAtZero(stagesOf(counters, 0, 0))?.name).toBe("Stored");
  const stored = [...counters, counter("storage.memory", "sent", "", "records", 4)];
  expect(stageAtZero(stagesOf(stored, 0, 3))?.name).toBe("Requests");
  expect(stageAtZero(stagesOf(stored, 1, 3))).toBeNull();
  expect(stagesOf(stored, 1, 3)[1]?.lost).toBe(2);
});

test("completion knows tables, columns of the table asked, and leaves texts alone", () => {
  const tables = readCatalog({ tables: [{ name: "flow_log.l7_flow_log", database: "flow_log", columns: [{ name: "endpoint", description: "what" }] }, { name: "flow_metrics.network", precisions: ["1s", "1m"] }] });
  const at = (sql: string) => complete(sql, sql.length, tables).map((item) => item.text);
  expect(at("SELECT x FROM ")).toEqual(["l7_flow_log", "network.1s", "network.1m"]);
  expect(complete("SELECT endp FROM l7_flow_log", 11, tables)[0]?.text).toBe("endpoint");
  expect(at("SELECT Perc")).toContain("Percentile(");
  expect(at("SELECT x FROM l7_flow_log WHERE endpoint = 'endp")).toEqual([]);
});

test("an answer over time becomes lines, another does not", () => {
  const table = tableFrom({
    result: { columns: ["t", "p", "n"], values: [["2026-11-21T07:27:13Z", "DNS", 1], ["2026-11-21T07:27:14Z", "DNS", 2], ["2026-11-21T07:27:14Z", "HTTP", 5]], schemas: [{ value_type: "time" }, {}, {}] },
  });
  expect(linesOf(table)).toEqual({ times: [1795246033, 1795246034], lines: [{ label: "DNS", values: [1, 2] }, { label: "HTTP", values: [null, 5] }] });
  expect(linesOf(tableFrom({ result: { columns: ["p", "n"], values: [["a", 1], ["b", 2]] } }))).toBeNull();
});

test("cells hold every dot once", () => {
  const dots = Array.from({ length: 500 }, (_, at) => ({ timeS: 100 + (at % 60), us: (at * 37) % 900_000, failed: at % 9 === 0 }));
  const heat = heatOf(dots, 100, 160, 30);
  expect(heat.cells.reduce((sum, cell) => sum + cell.total, 0)).toBe(500);
  expect(heat.cells.every((cell) => cell.column < 30 && cell.row >= heat.low && cell.row <= heat.high)).toBe(true);
  expect([rowOf(0), rowOf(1), rowOf(10), rowOf(1000), rowOf(1e30)]).toEqual([0, 0, 3, 9, 27]);
  expect(heatOf([], 0, 1, 10).cells).toEqual([]);
});

test("a verb stands once", () => {
  expect(whatOf({ request_type: "GET", request_resource: "GET cart:1" })).toBe("GET cart:1");
  expect(whatOf({ request_type: "GET", request_resource: "/cart" })).toBe("GET /cart");
  expect(whatOf({ request_type: "PING", request_resource: "" })).toBe("PING");
  expect(whatOf({ request_type: "LOGIN", request_resource: "", endpoint: "LOGIN" })).toBe("LOGIN");
});
