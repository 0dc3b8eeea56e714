/** An answer of any shape as a table. */

import { useMemo } from "preact/hooks";
import { text, type Table, type Value } from "../api/table";
import { type Field, VirtualTable } from "../ui/table";

interface Row {
  key: string;
  cells: Value[];
}

export function Answer({ table }: { table: Table }) {
  const rows: Row[] = useMemo(() => table.rows.map((cells, at) => ({ key: String(at), cells })), [table]);
  const fields: Field<Row>[] = table.columns.map((column, index) => {
    const isNumber = table.rows.slice(0, 50).some((row) => typeof row[index] === "number");
    const widest = Math.max(column.name.length, ...table.rows.slice(0, 100).map((row) => text(row[index]).length));
    return {
      key: `${index}`,
      title: column.unit ? `${column.name} (${column.unit})` : column.name,
      width: `minmax(${Math.min(320, Math.max(70, widest * 8 + 24))}px, 1fr)`,
      right: isNumber,
      cell: (row) => <span class="mono">{row.cells[index] === null ? "–" : text(row.cells[index])}</span>,
      whole: (row) => text(row.cells[index]),
    };
  });
  return <VirtualTable label="Answer" fields={fields} rows={rows} rowKey={(row) => row.key} />;
}
