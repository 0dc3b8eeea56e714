/** The frame around every screen: where one is, which time is shown, how fresh it is. */

import type { ComponentType } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { AppContext } from "./state/app";
import { EVERY, useAsk, useTicks } from "./state/live";
import { followLinks, hrefWithTime, setParams, usePlace } from "./state/location";
import { NO_PULSE, takePulse } from "./state/pulse";
import { CHOICES, DEFAULT_RANGE, type Range, rangeOf } from "./state/range";
import { carried } from "./data/links";
import { parseFilters } from "./data/sql";
import { currentTheme, toggleTheme } from "./state/theme";
import { clock, moment, span } from "./format";
import { Moment } from "./ui/moment";
import { Overview } from "./screens/overview";
import { MapScreen } from "./screens/map";
import { Requests } from "./screens/requests";
import { TraceScreen } from "./screens/trace";
import { Flows } from "./screens/flows";
import { Explore } from "./screens/explore";
import { Health } from "./screens/health";

/** A screen is a name in the address, a title, and a component; the order is that of the bar. */
export const SCREENS: [string, string, ComponentType][] = [
  ["overview", "Overview", Overview],
  ["map", "Map", MapScreen],
  ["requests", "Requests", Requests],
  ["trace", "Traces", TraceScreen],
  ["flows", "Flows", Flows],
  ["explore", "Explore", Explore],
  ["health", "Health", Health],
];

export function App() {
  const place = usePlace();
  const [every, setEvery] = useState(5);
  const [tick, refresh] = useTicks(every);
  const pulse = useAsk(takePulse, "pulse", tick);
  const server = pulse.data ?? NO_PULSE;
  const range = useMemo(
    () => ({ ...rangeOf(place.params, Date.now() / 1000, server.oldest, server.newest), sources: server.sources, oldest: server.oldest }),
    [place, pulse.data, tick],
  );
  const found = SCREENS.find(([name]) => name === place.screen);
  const Screen = found?.[2];

  useEffect(() => {
    document.title = `${found?.[1] ?? "Nothing here"} · MetaFlow`;
  }, [found]);
  useEffect(() => {
    document.addEventListener("click", followLinks);
    return () => document.removeEventListener("click", followLinks);
  }, []);

  const down = server.statusError !== "" && server.storeError !== "" ? server.storeError : "";
  return (
    <AppContext.Provider value={{ range, tick, refresh, pulse: server, ready: pulse.data !== null }}>
      <a class="skip" href="#content">
        To the content
      </a>
      <header class="top">
        <a class="brand" href={hrefWithTime("overview")}>
          <img src="./icon.svg" alt="" width="22" height="22" /> <span>MetaFlow</span>
        </a>
        <nav aria-label="Screens">
          {SCREENS.map(([name, title]) => (
            <a key={name} href={hrefWithTime(name, { f: carried(place.screen, name, parseFilters(place.params["f"] ?? "")) })} aria-current={name === place.screen ? "page" : undefined}>
              {title}
            </a>
          ))}
        </nav>
        <span class="grow" />
        <TimeBar range={range} asked={place.params} every={every} setEvery={setEvery} refresh={refresh} />
        <ThemeButton />
      </header>
      {down && (
        <p class="banner problem" role="alert">
          {down}
        </p>
      )}
      {range.moved && (
        <p class="banner" role="status">
          No data is newer than {moment(range.to - 1)} ({span(Math.max(0, Date.now() / 1000 - range.to))} ago), so that time is shown:{" "}
          {clock(range.from)} to {clock(range.to)}.
        </p>
      )}
      <main id="content" tabIndex={-1}>
        {Screen ? <Screen /> : <p class="empty">There is no screen “{place.screen}”; the screens are named above.</p>}
      </main>
    </AppContext.Provider>
  );
}

interface TimeProps {
  range: Range;
  asked: Record<string, string>;
  every: number;
  setEvery: (seconds: number) => void;
  refresh: () => void;
}

function TimeBar({ range, asked, every, setEvery, refresh }: TimeProps) {
  const fixed = Boolean(asked["from"] && asked["to"]) && !range.live && !range.moved;
  return (
    <div class="time-bar">
      <label>
        <span class="offscreen">Time shown</span>
        <select
          value={fixed ? "fixed" : (asked["r"] ?? DEFAULT_RANGE)}
          onChange={(event) => setParams({ r: event.currentTarget.value, from: "", to: "" })}
        >
          {fixed && (
            <option value="fixed">
              {clock(range.from)} – {clock(range.to)}
            </option>
          )}
          {CHOICES.map(([value, title]) => (
            <option key={value} value={value}>
              Last {title}
            </option>
          ))}
        </select>
      </label>
      <label>
        <span class="offscreen">Refreshed</span>
        <select value={String(every)} onChange={(event) => setEvery(Number(event.currentTarget.value))}>
          {EVERY.map(([value, title]) => (
            <option key={value} value={value}>
              {title}
            </option>
          ))}
        </select>
      </label>
      <Moment range={range} fixed={fixed} />
      <button type="button" class="quiet" onClick={refresh} title="Ask everything again now">
        Refresh
      </button>
    </div>
  );
}

function ThemeButton() {
  const [theme, setTheme] = useState(currentTheme);
  return (
    <button type="button" class="quiet" onClick={() => setTheme(toggleTheme())} aria-label={theme === "dark" ? "Use light colours" : "Use dark colours"}>
      {theme === "dark" ? "Light" : "Dark"}
    </button>
  );
}
