/** One clock for the whole page: it ticks while the page is seen, and every question is asked again at a tick. */

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { postQuery } from "../api/client";
import type { Table } from "../api/table";
import type { Question } from "../data/queries";

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

/** Asks, keeps the last answer while a newer one is on its way, and lets an outdated question go. */
export function useAsk<T>(ask: (signal: AbortSignal) => Promise<T>, key: string, tick: number): Asked<T> {
  const [state, setState] = useState<Asked<T> & { key: string }>({ data: null, error: "", loading: true, key: "" });
  const asking = useRef(ask);
  asking.current = ask;
  useEffect(() => {
    if (key === "") return;
    const control = new AbortController();
    asking.current(control.signal).then(
      (data) => {
        if (!control.signal.aborted) setState({ data, error: "", loading: false, key });
      },
      (error: unknown) => {
        if (control.signal.aborted) return;
        const said = error instanceof Error ? error.message : String(error);
        setState((old) => ({ data: old.key === key ? old.data : null, error: said, loading: false, key }));
      },
    );
    return () => control.abort();
  }, [key, tick]);
  return state;
}

/** An answer to SQL. `null` asks nothing. The range may move with each tick; the subject tells when it is another question. */
export function useTable(question: Question | null, tick: number, subject?: string): Asked<Table> {
  const key = question ? (subject ?? `${question.db}\n${question.sql}`) : "";
  return useAsk((signal) => postQuery(question?.db ?? "", question?.sql ?? "", signal), key, tick);
}
