/** Facets: the values of a column with their counts, to pick from; and the filters in force. */

import { useState } from "preact/hooks";
import { number, text } from "../api/table";
import { type Filter, parseFilter, writeFilter, writeFilters } from "../data/sql";
import { facet } from "../data/queries";
import { count } from "../format";
import { useApp } from "../state/app";
import { useTable } from "../state/live";
import { setParams } from "../state/location";

export function setFilters(filters: Filter[]): void {
  setParams({ f: writeFilters(filters), row: "" });
}

const same = (a: Filter, b: Filter): boolean => writeFilter(a) === writeFilter(b);

export function Facet({ table, column, title, filters, open }: { table: string; column: string; title: string; filters: Filter[]; open: boolean }) {
  const { range, tick } = useApp();
  const others = filters.filter((filter) => filter.column !== column);
  const inForce = filters.some((filter) => filter.column === column);
  const [isOpen, setOpen] = useState(open || inForce);
  // a closed one asks nothing
  const answer = useTable(isOpen ? facet(range, others, column, table) : null, tick, `facet ${table} ${column} ${writeFilters(others)}`);
  const rows = answer.data?.rows ?? [];
  const most = Math.max(1, ...rows.map((row) => number(row[1])));
  if (isOpen && answer.data && !inForce && rows.every((row) => text(row[0]) === "") && !answer.error) return null;
  return (
    <details class="facet" open={isOpen} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        {title}
        {answer.error && <span class="warn-text" title={answer.error}> cannot be asked</span>}
      </summary>
      <ul>
        {rows.map((row) => {
          const value = text(row[0]);
          const filter: Filter = { column, op: "=", value };
          const on = filters.some((each) => same(each, filter));
          return (
            <li key={value}>
              <button type="button" class={on ? "on" : ""} aria-pressed={on} title={value} onClick={() => setFilters(on ? filters.filter((each) => !same(each, filter)) : [...filters, filter])}>
                <i style={{ width: `${(number(row[1]) / most) * 100}%` }} />
                <span class="facet-name">{value || "(none)"}</span>
                <span class="facet-count">{count(number(row[1]))}</span>
              </button>
            </li>
          );
        })}
      </ul>
    </details>
  );
}

/** The filters in force, each to take away, and a box for one more: `endpoint~cart`, `response_code=500`, or a plain word. */
export function FilterBar({ filters, searched, examples = "response_code=500, endpoint~cart" }: { filters: Filter[]; searched: string; examples?: string }) {
  const add = (event: Event) => {
    event.preventDefault();
    const box = (event.currentTarget as HTMLFormElement).elements.namedItem("filter") as HTMLInputElement;
    const typed = box.value.trim();
    if (typed === "") return;
    const filter = parseFilter(typed) ?? { column: searched, op: "like" as const, value: typed };
    box.value = "";
    setFilters([...filters.filter((each) => !same(each, filter)), filter]);
  };
  return (
    <div class="filter-bar">
      <form onSubmit={add}>
        <input name="filter" type="search" aria-label="Filter" placeholder={`Filter: a word in ${searched}, or ${examples}`} autocomplete="off" spellcheck={false} />
      </form>
      {filters.map((filter) => (
        <button type="button" class="chip" key={writeFilter(filter)} onClick={() => setFilters(filters.filter((each) => !same(each, filter)))} title="Take this filter away">
          {filter.column} {filter.op === "like" ? "contains" : filter.op} <b>{filter.value || "(none)"}</b> ✕
        </button>
      ))}
      {filters.length > 1 && (
        <button type="button" class="quiet" onClick={() => setFilters([])}>
          Clear
        </button>
      )}
    </div>
  );
}
