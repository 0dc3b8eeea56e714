/** Response times over time as a heat map: darker means more, the redder the more of them failed. A cell narrows the time to its own. */

import { useMemo, useState } from "preact/hooks";
import { clock, count, duration } from "../format";
import { setParams } from "../state/location";
import { boundOf, type Dot, type Heat, heatOf, redness } from "./heat";

const COLUMNS = 72;
const ROW_HEIGHT = 13;
const LEFT = 58;
const WIDTH = 1000;

export function HeatMap({ dots, from, to }: { dots: Dot[]; from: number; to: number }) {
  const heat: Heat = useMemo(() => heatOf(dots, from, to, COLUMNS), [dots, from, to]);
  const [said, setSaid] = useState("");
  // some rows of air, so that one row of cells does not look like a border
  const low = Math.max(0, heat.low - 1);
  const high = Math.max(heat.high + 1, low + 7);
  const height = (high - low + 1) * ROW_HEIGHT;
  const cell = (WIDTH - LEFT) / COLUMNS;
  const y = (row: number) => (high - row) * ROW_HEIGHT;
  const marks = Array.from({ length: high - low + 2 }, (_, at) => low + at).filter((row) => row % 3 === 0);
  const columnS = (to - from) / COLUMNS;
  return (
    <figure class="heat" aria-label="Response times over time">
      <svg viewBox={`0 0 ${WIDTH} ${height + 18}`} preserveAspectRatio="none" class="heat-cells" role="img" aria-label={said || "Heat map"} style={{ height: `${height + 18}px` }} onMouseLeave={() => setSaid("")}>
        {marks.map((row) => (
          <line key={row} x1={LEFT} x2={WIDTH} y1={y(row) + ROW_HEIGHT} y2={y(row) + ROW_HEIGHT} class="heat-line" />
        ))}
        {heat.cells.map((item) => (
          <rect
            key={`${item.column} ${item.row}`}
            x={LEFT + item.column * cell}
            y={y(item.row) + 1}
            width={Math.max(2, cell - 1)}
            height={ROW_HEIGHT - 2}
            class="heat-cell"
            style={{ "--failed": `${redness(item)}%`, fillOpacity: String(0.25 + 0.75 * (Math.log1p(item.total) / Math.log1p(heat.most))) }}
            onMouseEnter={() =>
              setSaid(
                `${clock(from + item.column * columnS, columnS < 1)}: ${count(item.total)} of ${duration(boundOf(item.row))} to ${duration(boundOf(item.row + 1))}` +
                  (item.failed > 0 ? `, ${count(item.failed)} failed` : ""),
              )
            }
            onClick={() => columnS >= 1 && setParams({ from: String(Math.floor(from + item.column * columnS)), to: String(Math.ceil(from + (item.column + 1) * columnS)), r: "" })}
          />
        ))}
      </svg>
      <div class="heat-axis" aria-hidden="true">
        {marks.map((row) => (
          <span key={row} style={{ top: `${y(row) + ROW_HEIGHT - 8}px` }}>
            {duration(Math.round(boundOf(row)))}
          </span>
        ))}
      </div>
      <figcaption class="note">
        <span>{clock(from)}</span>
        <span>{said || "darker: more requests · redder: more of them failed"}</span>
        <span>{clock(to)}</span>
      </figcaption>
    </figure>
  );
}
