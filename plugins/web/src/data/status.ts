/** The server's own state: components, counters, and the five stages that data passes. */

export interface Component {
  kind: string;
  id: string;
  pipeline: string;
  state: string;
  message: string;
  restarts: number;
  sinceS: number | null;
}

export interface Counter {
  component: string;
  stage: string;
  reason: string;
  unit: string;
  value: number;
}

export interface Plugin {
  name: string;
  version: string;
  state: string;
  summary: string;
  error: string;
}

export interface Status {
  components: Component[];
  counters: Counter[];
  plugins: Plugin[];
  storages: [string, [string, string][]][];
  version: string;
}

type Loose = Record<string, unknown>;

const str = (value: unknown): string => (value === null || value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : String(value));
const list = (value: unknown): Loose[] => (Array.isArray(value) ? value.filter((item) => item && typeof item === "object") : []);
const num = (value: unknown): number => (Number.isFinite(Number(value)) ? Number(value) : 0);

/** Reads `/v1/status`; members that a server does not send are empty. */
export function readStatus(body: unknown): Status {
  const top = (body ?? {}) as Loose;
  const found = (top["result"] && typeof top["result"] === "object" && !Array.isArray(top["result"]) ? top["result"] : top) as Loose;
  const storages = found["storages"] ?? found["storage"];
  return {
    components: list(found["components"] ?? found["status"]).map((item) => ({
      kind: str(item["kind"]),
      id: str(item["id"]),
      pipeline: str(item["pipeline"]),
      state: str(item["state"]),
      message: str(item["message"]),
      restarts: num(item["restarts"]),
      sinceS: item["since_ns"] ? num(item["since_ns"]) / 1e9 : null,
    })),
    counters: list(found["counters"] ?? found["stats"]).map((item) => ({
      component: str(item["component"]),
      stage: str(item["stage"]),
      reason: str(item["reason"]),
      unit: str(item["unit"]),
      value: num(item["value"]),
    })),
    plugins: list(found["plugins"]).map((item) => ({
      name: str(item["name"]),
      version: str(item["version"]),
      state: str(item["state"]),
      summary: str(item["summary"] ?? item["kinds"] ?? item["components"]),
      error: str(item["error"] ?? item["message"]),
    })),
    storages:
      storages && typeof storages === "object"
        ? Object.entries(storages as Loose).map(([name, facts]) => [name, flatten(facts)] as [string, [string, string][]])
        : [],
    version: str(found["version"]),
  };
}

function flatten(facts: unknown, prefix = ""): [string, string][] {
  if (facts === null || typeof facts !== "object") return [[prefix || "value", str(facts)]];
  return Object.entries(facts as Loose).flatMap(([name, value]) =>
    value !== null && typeof value === "object" && !Array.isArray(value)
      ? flatten(value, prefix ? `${prefix}.${name}` : name)
      : [[prefix ? `${prefix}.${name}` : name, str(value)] as [string, string]],
  );
}

export interface Stage {
  name: string;
  value: number;
  unit: string;
  lost: number;
  /** What to look at when this stage is the first at zero. */
  remedy: string;
}

const kindOf = (component: string): string => component.split(".")[0] ?? "";

function sum(counters: Counter[], test: (counter: Counter) => boolean): number {
  return counters.reduce((total, counter) => (test(counter) ? total + counter.value : total), 0);
}

/** Captured, decoded into flows, parsed, stored: how much passed each, in order. */
export function stagesOf(counters: Counter[], requestRows: number, flowRows: number): Stage[] {
  const lost = (kind: string) => sum(counters, (c) => kindOf(c.component) === kind && c.stage === "dropped" && c.reason !== "filter");
  const packets = sum(counters, (c) => kindOf(c.component) === "collector" && c.stage === "received" && c.unit === "packets");
  // files tell of bytes only; what the engine took in is then the count of packets
  const frames = sum(counters, (c) => kindOf(c.component) === "engine" && c.stage === "received" && c.reason === "frames");
  const rows = sum(counters, (c) => kindOf(c.component) === "engine" && c.stage === "sent" && c.unit === "records");
  const storedRows = sum(counters, (c) => kindOf(c.component) === "storage" && c.stage === "sent" && c.unit === "records");
  return [
    {
      name: "Captured",
      value: Math.max(packets, frames),
      unit: "packets",
      // packets beside packets; calls that processes made are counted on the health page
      lost: sum(counters, (c) => kindOf(c.component) === "collector" && c.stage === "dropped" && c.reason !== "filter" && c.unit === "packets"),
      remedy: "No packet was captured yet: is there traffic on the interfaces, and does the capture filter let it through?",
    },
    {
      name: "Understood",
      value: rows,
      unit: "records",
      lost: lost("engine"),
      remedy: "Packets come in, and no record comes out yet: records appear within seconds of the first finished request.",
    },
    {
      name: "Stored",
      value: storedRows,
      unit: "records",
      lost: lost("storage"),
      remedy: "Records are made and none is stored: look at the storage's state on the health page.",
    },
    {
      name: "Flows",
      value: flowRows,
      unit: "rows",
      lost: 0,
      remedy: "Nothing is in the flow log yet: a flow is written when it ends, or each minute.",
    },
    {
      name: "Requests",
      value: requestRows,
      unit: "rows",
      lost: 0,
      remedy: "Flows are there, and no request was recognised: which parsers are installed, and is the traffic encrypted?",
    },
  ];
}

/** The first stage at zero, or null when all have something. */
export function stageAtZero(stages: Stage[]): Stage | null {
  return stages.find((stage) => stage.value === 0) ?? null;
}
