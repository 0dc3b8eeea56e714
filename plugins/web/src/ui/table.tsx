/** A table of any length: only the rows that are seen are in the page. Rows have one height; arrows, Home and End walk through them. */

import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";

export interface Field<Row> {
  key: string;
  title: string;
  /** A CSS grid track; its first number is its least width in pixels. */
  width: string;
  right?: boolean;
  hint?: string;
  cell: (row: Row) => ComponentChildren;
  /** The whole text, where the cell may be cut. */
  whole?: (row: Row) => string;
  /** What rows are ordered by, where a click on the head orders them. */
  by?: (row: Row) => number | string | null;
}

/** `key` or `-key`, as it stands in an address: rows in that order, those without a value last; anything else leaves them as they are. */
export function ordered<Row>(rows: Row[], fields: Field<Row>[], order: string): Row[] {
  const isDown = order.startsWith("-");
  const by = fields.find((field) => field.key === (isDown ? order.slice(1) : order))?.by;
  if (!by) return rows;
  const sign = isDown ? -1 : 1;
  return rows
    .map((row) => [by(row), row] as const)
    .sort(([a], [b]) => (a === null || b === null ? Number(a === null) - Number(b === null) : a < b ? -sign : a > b ? sign : 0))
    .map(([, row]) => row);
}

interface Props<Row> {
  fields: Field<Row>[];
  rows: Row[];
  rowKey: (row: Row) => string;
  label: string;
  height?: number;
  onPick?: (row: Row) => void;
  picked?: string;
  rowClass?: (row: Row) => string;
  order?: string;
  onOrder?: (order: string) => void;
}

const ROW = 30;
const SPARE = 8;

export function VirtualTable<Row>(props: Props<Row>) {
  const { fields, rows, height } = props;
  const body = useRef<HTMLDivElement>(null);
  const id = useId();
  const [top, setTop] = useState(0);
  const [seen, setSeen] = useState(height ?? 480);
  const [cursor, setCursor] = useState(-1);
  useEffect(() => {
    const element = body.current;
    if (!element) return;
    const watch = new ResizeObserver(() => setSeen(element.clientHeight));
    watch.observe(element);
    return () => watch.disconnect();
  }, []);
  const first = Math.max(0, Math.floor(top / ROW) - SPARE);
  const last = Math.min(rows.length, Math.ceil((top + seen) / ROW) + SPARE);
  const tracks = fields.map((field) => field.width).join(" ");
  // narrower than this the table scrolls sideways; never as wide as its longest cell
  const least = `${fields.reduce((sum, field) => sum + Number(/\d+/.exec(field.width)?.[0] ?? 80), 0)}px`;

  const walk = (event: KeyboardEvent) => {
    const page = Math.max(1, Math.floor(seen / ROW) - 1);
    const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -rows.length, End: rows.length };
    const step = steps[event.key];
    if ((event.target as Element).closest("a, button")) return; // the cell has its own meaning
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      const row = rows[cursor];
      if (row !== undefined) props.onPick?.(row);
    } else if (step !== undefined && rows.length > 0) {
      event.preventDefault();
      const next = Math.min(rows.length - 1, Math.max(0, cursor + step));
      setCursor(next);
      const element = body.current;
      if (!element) return;
      if (next * ROW < element.scrollTop) element.scrollTop = next * ROW;
      else if ((next + 1) * ROW > element.scrollTop + seen - ROW) element.scrollTop = (next + 2) * ROW - seen;
    }
  };

  return (
    <div
      class="table"
      role={props.onPick ? "grid" : "table"}
      aria-label={props.label}
      aria-activedescendant={props.onPick && cursor >= first && cursor < last ? `${id}-${cursor}` : undefined}
      aria-rowcount={rows.length + 1}
      style={height === undefined ? {} : { height: `${Math.min(height, (rows.length + 1) * ROW + 4)}px` }}
      ref={body}
      tabIndex={0}
      onKeyDown={walk}
      onFocus={(event) => event.target === event.currentTarget && cursor < 0 && rows.length > 0 && setCursor(Math.min(rows.length - 1, Math.ceil(top / ROW)))}
      onScroll={(event) => setTop((event.currentTarget as HTMLElement).scrollTop)}
    >
      <div class="table-head" role="row" style={{ gridTemplateColumns: tracks, minWidth: least }}>
        {fields.map((field) => (
          <Head key={field.key} field={field} order={props.order ?? ""} onOrder={props.onOrder} />
        ))}
      </div>
      <div class="table-body" role="rowgroup" style={{ height: `${rows.length * ROW}px`, minWidth: least }}>
        {rows.slice(first, last).map((row, offset) => {
          const index = first + offset;
          const key = props.rowKey(row);
          const state = `${index === cursor ? "cursor " : ""}${key === props.picked ? "picked " : ""}${props.rowClass?.(row) ?? ""}`;
          return (
            <div
              key={key}
              role="row"
              id={`${id}-${index}`}
              aria-rowindex={index + 2}
              aria-selected={props.onPick ? key === props.picked : undefined}
              class={`table-row ${props.onPick ? "can-pick" : ""} ${state}`}
              style={{ gridTemplateColumns: tracks, top: `${index * ROW}px` }}
              onClick={(event) => {
                if ((event.target as Element).closest("a, button")) return; // the cell has its own meaning
                setCursor(index);
                props.onPick?.(row);
              }}
            >
              {fields.map((field) => (
                <div role={props.onPick ? "gridcell" : "cell"} key={field.key} class={field.right ? "right" : ""} title={field.whole?.(row)}>
                  {field.cell(row)}
                </div>
              ))}
            </div>
          );
        })}
      </div>
    </div>
  );
}

/** The first click on a number gives the greatest first, on a text the first of the alphabet. */
function Head<Row>({ field, order, onOrder }: { field: Field<Row>; order: string; onOrder: ((order: string) => void) | undefined }) {
  const { key, title, right } = field;
  const isBy = order === key || order === `-${key}`;
  const next = order === `-${key}` ? key : order === key ? `-${key}` : right ? `-${key}` : key;
  return (
    <div role="columnheader" class={right ? "right" : ""} title={field.hint ?? title} aria-sort={isBy ? (order === key ? "ascending" : "descending") : undefined}>
      {field.by && onOrder ? (
        <button type="button" class={isBy ? "sorts on" : "sorts"} onClick={() => onOrder(next)}>
          {title}
          <span aria-hidden="true">{isBy ? (order === key ? " ▴" : " ▾") : ""}</span>
        </button>
      ) : (
        title
      )}
    </div>
  );
}
