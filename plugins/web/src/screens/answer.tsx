/** An answer of any shape as a table. */

import { useMemo, useState } from "preact/hooks";
import { number, text, type Table, type Value } from "../api/table";
import { type Field, ordered, VirtualTable } from "../ui/table";

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
      by: (row) => (row.cells[index] === null ? null : isNumber ? number(row.cells[index]) : text(row.cells[index])),
    };
  });
  const [order, setOrder] = useState("");
  const sorted = useMemo(() => ordered(rows, fields, order), [rows, order]);
  return <VirtualTable label="Answer" fields={fields} rows={sorted} order={order} onOrder={setOrder} rowKey={(row) => row.key} />;
}
