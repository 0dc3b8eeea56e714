/** An answer as columns and rows, and small ways to read it. Values are what JSON has; nothing is markup, ever. */

export type Value = string | number | boolean | null | Value[] | { [key: string]: Value };

export interface Column {
  name: string;
  type: string;
  unit: string;
}

export interface Table {
  columns: Column[];
  rows: Value[][];
  warnings: string[];
}

export const EMPTY: Table = { columns: [], rows: [], warnings: [] };

/** Reads `{result: {columns, values, schemas}}`; what is not there is empty. */
export function tableFrom(body: unknown): Table {
  const outer = (body ?? {}) as Record<string, unknown>;
  const result = (outer["result"] ?? outer) as Record<string, unknown>;
  const names = Array.isArray(result["columns"]) ? result["columns"] : [];
  const schemas = Array.isArray(result["schemas"]) ? (result["schemas"] as Record<string, unknown>[]) : [];
  const values = Array.isArray(result["values"]) ? (result["values"] as Value[][]) : [];
  const warnings = outer["warnings"] ?? result["warnings"];
  return {
    columns: names.map((name: unknown, index: number) => {
      const schema = schemas[index] ?? {};
      return {
        name: String(name),
        type: String(schema["value_type"] ?? schema["type"] ?? ""),
        unit: String(schema["unit"] ?? ""),
      };
    }),
    rows: values,
    warnings: Array.isArray(warnings) ? warnings.map(String) : [],
  };
}

export function columnIndex(table: Table, name: string): number {
  return table.columns.findIndex((column) => column.name === name);
}

export function number(value: Value | undefined): number {
  const found = typeof value === "number" ? value : typeof value === "string" ? Number(value) : NaN;
  return Number.isFinite(found) ? found : 0;
}

/** A number, or null where there is none: no measurement is not zero. */
export function measured(value: Value | undefined): number | null {
  if (value === null || value === undefined || value === "") return null;
  const found = Number(value);
  return Number.isFinite(found) ? found : null;
}

export function text(value: Value | undefined): string {
  if (value === null || value === undefined) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** Rows as objects by column name. */
export function records(table: Table): Record<string, Value>[] {
  return table.rows.map((row) => Object.fromEntries(table.columns.map((column, index) => [column.name, row[index] ?? null])));
}
