/** Any time from any to any other: earlier, later, back to now, or written down. */

import { useState } from "preact/hooks";
import { setParams } from "../state/location";
import type { Range } from "../state/range";
import { usePopup } from "./popup";

/** A moment as a box of date and time takes it, in the reader's own zone. */
export function boxText(seconds: number): string {
  const at = new Date(seconds * 1000);
  const two = (value: number) => String(value).padStart(2, "0");
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}T${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

/** Seconds since 1970 of such a text; null for what is none. */
export function secondsOf(text: string): number | null {
  const found = new Date(text).getTime() / 1000;
  return Number.isFinite(found) && found > 0 ? Math.floor(found) : null;
}

export function Moment({ range, fixed }: { range: Range; fixed: boolean }) {
  const { open, setOpen, box } = usePopup<HTMLSpanElement>("input");
  const [said, setSaid] = useState("");
  const show = (from: number, to: number) => {
    setParams({ r: "", from: String(from), to: String(to) });
    setOpen(false);
  };
  const length = range.to - range.from;
  const take = (event: Event) => {
    event.preventDefault();
    const read = (name: string) => secondsOf(((event.currentTarget as HTMLFormElement).elements.namedItem(name) as HTMLInputElement).value);
    const [from, to] = [read("from"), read("to")];
    if (from === null || to === null || to <= from) setSaid("The second moment must be after the first.");
    else show(from, to);
  };
  return (
    <span class="moment" ref={box}>
      <button type="button" aria-expanded={open} aria-haspopup="dialog" title="Another time: from, to, earlier, later" onClick={() => { setOpen(!open); setSaid(""); }}>
        From…to
      </button>
      {fixed && (
        <button type="button" class="button" title="Follow the clock again" onClick={() => setParams({ from: "", to: "" })}>
          Live
        </button>
      )}
      {open && (
        <form class="menu moment-box" role="dialog" aria-label="Time shown" onSubmit={take}>
          <label>
            From <input type="datetime-local" name="from" step="1" defaultValue={boxText(range.from)} />
          </label>
          <label>
            To <input type="datetime-local" name="to" step="1" defaultValue={boxText(range.to)} />
          </label>
          {said && <p class="bad-text" role="alert">{said}</p>}
          <span class="moment-ways">
            <button type="button" onClick={() => show(range.from - length, range.from)}>Earlier</button>
            <button type="button" onClick={() => show(range.to, range.to + length)}>Later</button>
            <button type="button" onClick={() => show(Math.floor(range.from - length / 2), Math.ceil(range.to + length / 2))}>Twice as long</button>
            <button type="submit" class="button">Show</button>
          </span>
        </form>
      )}
    </span>
  );
}
