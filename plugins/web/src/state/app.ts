/** What every screen is given: the range, the clock, the server's pulse. */

import { createContext } from "preact";
import { useContext } from "preact/hooks";
import { NO_PULSE, type Pulse } from "./pulse";
import type { Range } from "./range";

export interface AppState {
  range: Range;
  tick: number;
  refresh: () => void;
  pulse: Pulse;
  /** False until the server answered for the first time. */
  ready: boolean;
}

export const AppContext = createContext<AppState>({
  range: { from: 0, to: 1, live: true, moved: false },
  tick: 0,
  refresh: () => undefined,
  pulse: NO_PULSE,
  ready: false,
});

export const useApp = (): AppState => useContext(AppContext);
