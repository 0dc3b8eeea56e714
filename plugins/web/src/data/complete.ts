/** Completion of SQL from the catalogue: what may stand where the caret is. Pure. */

export interface CatalogTable {
  name: string;
  db: string;
  short: string;
  description: string;
  precisions: string[];
  columns: { name: string; what: string; kind: string }[];
}

export interface Suggestion {
  text: string;
  what: string;
}

const KEYWORDS = ["SELECT", "FROM", "WHERE", "GROUP BY", "ORDER BY", "LIMIT", "HAVING", "AND", "OR", "NOT", "IN", "LIKE", "REGEXP", "AS", "DESC", "SHOW TABLES", "SHOW TAGS FROM", "SHOW METRICS FROM", "EXPLAIN"];
const FUNCTIONS = ["Sum", "Avg", "Max", "Min", "Percentile", "Count", "Uniq", "PerSecond", "Percentage", "Apdex", "TopK", "Stddev", "Last", "Any", "Histogram", "time"];

/** Whose columns are offered before a table is written. */
const USUAL = "l7_flow_log";

/** The word before the caret. */
export function wordAt(sql: string, caret: number): { word: string; start: number } {
  const word = /[A-Za-z_][A-Za-z0-9_.]*$/.exec(sql.slice(0, caret))?.[0] ?? "";
  return { word, start: caret - word.length };
}

/** The table that the question is asked of, as far as it is written. */
export function tableOf(sql: string, tables: CatalogTable[]): CatalogTable | undefined {
  const name = /\bFROM\s+([A-Za-z_][A-Za-z0-9_.]*)/i.exec(sql)?.[1];
  if (!name) return undefined;
  const bare = name.replace(/\.(1s|1m|1h|1d)$/, "");
  return tables.find((table) => table.name === name || table.short === name || table.name === bare || table.short === bare);
}

export function complete(sql: string, caret: number, tables: CatalogTable[], most = 10): Suggestion[] {
  const { word, start } = wordAt(sql, caret);
  const before = sql.slice(0, start);
  if (inText(before)) return [];
  const afterFrom = /\bFROM\s+$/i.test(before);
  if (word === "" && !afterFrom) return [];
  const columns = (tableOf(sql, tables) ?? tables.find((table) => table.short === USUAL))?.columns ?? [];
  const pool: Suggestion[] = afterFrom
    ? tables.flatMap((table) => namesOf(table).map((text) => ({ text, what: table.description })))
    : [
        ...columns.map((column) => ({ text: column.name, what: column.what })),
        ...FUNCTIONS.map((name) => ({ text: `${name}(`, what: "function" })),
        ...KEYWORDS.map((name) => ({ text: name, what: "" })),
      ];
  const wanted = word.toLowerCase();
  const ranked = pool
    .map((item) => ({ item, at: item.text.toLowerCase().indexOf(wanted) }))
    .filter(({ item, at }) => at >= 0 && item.text.toLowerCase() !== wanted);
  if (word !== "") ranked.sort((a, b) => Number(a.at > 0) - Number(b.at > 0) || a.item.text.length - b.item.text.length);
  return ranked.slice(0, most).map(({ item }) => item);
}

/** How a table may be called: a family of precisions by each of them. */
export function namesOf(table: CatalogTable): string[] {
  return table.precisions.length > 0 ? table.precisions.map((precision) => `${table.short}.${precision}`) : [table.short];
}

function inText(before: string): boolean {
  return (before.match(/'/g)?.length ?? 0) % 2 === 1;
}

type Loose = Record<string, unknown>;
const list = (value: unknown): Loose[] => (Array.isArray(value) ? value.filter((item) => item && typeof item === "object") : []);
const str = (value: unknown): string => (typeof value === "string" ? value : "");

/** Reads `/v1/catalog`, whose tables may be there in short, or with columns, tags and metrics. */
export function readCatalog(body: unknown): CatalogTable[] {
  const top = (body ?? {}) as Loose;
  const found = (top["result"] && typeof top["result"] === "object" ? top["result"] : top) as Loose;
  const tables = found["tables"];
  const items: Loose[] = Array.isArray(tables)
    ? list(tables)
    : tables && typeof tables === "object"
      ? Object.entries(tables as Loose).map(([name, table]) => ({ name, ...(table as Loose) }))
      : [];
  return items.map((table) => {
    const name = str(table["name"]);
    const [db = "", ...rest] = name.split(".");
    const members = ["columns", "tags", "metrics"].flatMap((kind) =>
      list(table[kind]).map((item) => ({
        name: str(item["name"]),
        kind: str(item["kind"]) || kind.slice(0, -1),
        what: str(item["description"]) || str(item["help"]) || str(item["meaning"]) || str(item["doc"]),
      })),
    );
    const seen = new Set<string>();
    return {
      name,
      db: str(table["db"]) || str(table["database"]) || db,
      short: rest.length > 0 ? rest.join(".") : name,
      description: str(table["description"]) || str(table["help"]) || str(table["meaning"]) || str(table["doc"]),
      precisions: Array.isArray(table["precisions"]) ? table["precisions"].map(String) : [],
      columns: members.filter((item) => item.name !== "" && !seen.has(item.name) && seen.add(item.name)),
    };
  });
}
