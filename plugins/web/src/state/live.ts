/** One clock for the whole page: it ticks while the page is seen, and every question is asked again at a tick. */

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { postQuery } from "../api/client";
import type { Table } from "../api/table";
import type { Question } from "../data/queries";
import { useApp } from "./app";

export const PAUSED = 0;
export const EVERY: [number, string][] = [
  [PAUSED, "paused"],
  [2, "every 2 s"],
  [5, "every 5 s"],
  [15, "every 15 s"],
  [60, "every minute"],
];

/** Counts up every so many seconds; stands still while the page is hidden or the reader paused it. */
export function useTicks(everyS: number): [number, () => void] {
  const [tick, setTick] = useState(0);
  const bump = useCallback(() => setTick((n) => n + 1), []);
  useEffect(() => {
    if (everyS <= 0) return;
    const timer = window.setInterval(() => {
      if (!document.hidden) bump();
    }, everyS * 1000);
    const shown = () => {
      if (!document.hidden) bump();
    };
    document.addEventListener("visibilitychange", shown);
    return () => {
      window.clearInterval(timer);
      document.removeEventListener("visibilitychange", shown);
    };
  }, [everyS, bump]);
  return [tick, bump];
}

export interface Asked<T> {
  data: T | null;
  error: string;
  /** True until the first answer to this question; later answers replace the old ones without a flicker. */
  loading: boolean;
}

interface Kept<T> extends Asked<T> {
  subject: string;
}

/**
 * Asks when `trigger` changes, and lets an outdated question go; asks again at a `tick`. The last answer stays while a newer one about the
 * same `subject` is on its way; another subject begins with nothing. An empty subject asks nothing.
 */
export function useAsk<T>(ask: (signal: AbortSignal) => Promise<T>, subject: string, tick: number, trigger = subject): Asked<T> {
  const [state, setState] = useState<Kept<T>>({ data: null, error: "", loading: true, subject: "" });
  const asking = useRef(ask);
  asking.current = ask;
  const flight = useRef<AbortController | null>(null);
  const begin = () => {
    const control = new AbortController();
    flight.current = control;
    const keep = (next: (old: Kept<T>) => Kept<T>) => {
      if (control.signal.aborted) return;
      flight.current = null;
      setState(next);
    };
    asking.current(control.signal).then(
      (data) => keep(() => ({ data, error: "", loading: false, subject })),
      (error: unknown) => {
        const said = error instanceof Error ? error.message : String(error);
        keep((old) => ({ data: old.subject === subject ? old.data : null, error: said, loading: false, subject }));
      },
    );
  };
  useEffect(() => {
    if (subject !== "") begin();
    return () => {
      flight.current?.abort();
      flight.current = null;
    };
  }, [subject, trigger]);
  // a tick does not disturb a question that is still being answered: a slow server would never come to an end
  useEffect(() => {
    if (subject !== "" && flight.current === null) begin();
  }, [tick]);
  return state.subject === subject ? state : { data: null, error: "", loading: true };
}

/**
 * An answer to SQL; `null` asks nothing. Nothing is asked before the server told which time there is data of. While live, the range
 * moves with the tick; else another range is asked for at once.
 */
export function useTable(question: Question | null, tick: number, subject?: string): Asked<Table> {
  const { range, ready } = useApp();
  const about = question && ready ? (subject ?? `${question.db}\n${question.sql}`) : "";
  return useAsk((signal) => postQuery(question?.db ?? "", question?.sql ?? "", signal), about, tick, `${about} ${range.live || `${range.from} ${range.to}`}`);
}
