/** The address is the state: every view can be shared, reloaded and gone back to. */

import { useEffect, useState } from "preact/hooks";

export type Params = Record<string, string>;

export interface Place {
  screen: string;
  params: Params;
}

const listeners = new Set<() => void>();

export function parsePlace(pathname: string, search: string): Place {
  const last = pathname.split("/").pop() ?? "";
  return { screen: last === "" || last === "index.html" ? "overview" : last, params: Object.fromEntries(new URLSearchParams(search)) };
}

export function here(): Place {
  return parsePlace(window.location.pathname, window.location.search);
}

/** A relative address of a screen; empty parameters are left out. */
export function href(screen: string, params: Params = {}): string {
  const kept = Object.entries(params).filter(([, value]) => value !== "");
  const query = new URLSearchParams(kept).toString();
  return `./${screen === "overview" ? "" : screen}${query ? `?${query}` : ""}`;
}

/** The same moment on another screen: the time range goes along, filters only when given. */
export function hrefWithTime(screen: string, params: Params = {}): string {
  const { r, from, to } = here().params;
  return href(screen, { ...(r ? { r } : {}), ...(from && to ? { from, to } : {}), ...params });
}

export function go(address: string, replace = false): void {
  if (replace) window.history.replaceState(null, "", address);
  else window.history.pushState(null, "", address);
  for (const listener of [...listeners]) listener();
}

/** Changes some parameters of this address; an empty value takes one away. */
export function setParams(patch: Params, replace = false): void {
  const { screen, params } = here();
  go(href(screen, { ...params, ...patch }), replace);
}

export function usePlace(): Place {
  const [place, setPlace] = useState(here);
  useEffect(() => {
    const update = () => setPlace(here());
    listeners.add(update);
    window.addEventListener("popstate", update);
    return () => {
      listeners.delete(update);
      window.removeEventListener("popstate", update);
    };
  }, []);
  return place;
}

/** Links of this page change the address without loading anything; others are left to the browser. */
export function followLinks(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = (event.target as Element | null)?.closest?.("a[href]");
  const address = link?.getAttribute("href") ?? "";
  if (!address.startsWith("./") || link?.hasAttribute("download")) return;
  event.preventDefault();
  go(address);
  window.scrollTo(0, 0);
}
