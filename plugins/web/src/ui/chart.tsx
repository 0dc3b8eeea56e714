/** Lines and bars over time by uPlot, in the colours of the theme. Dragging over a span of time zooms into it. */

import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { clock, day } from "../format";
import { setParams } from "../state/location";

export interface Series {
  label: string;
  /** Name of a custom property, such as "--accent". */
  color: string;
  values: (number | null)[];
  bars?: boolean;
  fill?: boolean;
  format: (value: number) => string;
}

interface Props {
  times: number[];
  series: Series[];
  from: number;
  to: number;
  height?: number;
  /** Seconds of one bucket: the width of a bar. */
  step: number;
  label: string;
}

function property(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** Marks stand at whole seconds, however short the range. */
const WHOLE = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400, 172_800, 604_800];

function timeTicks(_self: uPlot, splits: number[]): string[] {
  const first = splits[0] ?? 0;
  const wide = (splits.at(-1) ?? 0) - first > 2 * 86_400;
  return splits.map((value) => (wide ? day(value).slice(5) : clock(value).slice(0, (splits[1] ?? 0) - first < 60 ? 8 : 5)));
}

function options(props: Props, latest: { current: Props }, width: number, onCursor: (index: number | null) => void): uPlot.Options {
  const muted = property("--muted");
  const grid = { stroke: property("--line"), width: 1 };
  return {
    width,
    height: props.height ?? 150,
    cursor: { y: false, points: { size: 6 }, drag: { x: true, y: false, setScale: false } },
    legend: { show: false },
    padding: [8, 26, 0, 0],
    scales: {
      x: { time: true, range: () => [latest.current.from, latest.current.to] },
      y: { range: (_self, _low, high) => [0, high > 0 ? high * 1.12 : 1] },
    },
    axes: [
      { stroke: muted, grid: { show: false }, ticks: { show: false }, font: "11px system-ui, sans-serif", size: 30, gap: 9, values: timeTicks, space: 74, incrs: WHOLE },
      {
        stroke: muted,
        grid,
        ticks: { show: false },
        font: "11px system-ui, sans-serif",
        size: 62,
        space: 32,
        values: (_self, splits) => splits.map((value) => props.series[0]?.format(value) ?? String(value)),
      },
    ],
    series: [
      {},
      ...props.series.map((series): uPlot.Series => {
        const color = property(series.color);
        return {
          label: series.label,
          stroke: color,
          width: series.bars ? 0 : 1.75,
          points: { show: props.times.length < 3 || undefined, size: 5 },
          ...(series.bars || series.fill ? { fill: `${color}${series.bars ? "" : "22"}` } : {}),
          ...(series.bars && uPlot.paths.bars ? { paths: uPlot.paths.bars({ size: [0.9, 24], align: 1 }) } : {}),
        } as uPlot.Series;
      }),
    ],
    hooks: {
      setCursor: [(self) => onCursor(self.cursor.idx ?? null)],
      setSelect: [
        (self) => {
          if (self.select.width < 6) return;
          const from = Math.floor(self.posToVal(self.select.left, "x"));
          const to = Math.ceil(self.posToVal(self.select.left + self.select.width, "x"));
          self.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          if (to > from) setParams({ from: String(from), to: String(to), r: "" });
        },
      ],
    },
  };
}

export function Chart(props: Props) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const [at, setAt] = useState<number | null>(null);
  const [theme, setTheme] = useState(0);
  const shape = props.series.map((series) => `${series.label}${series.color}`).join();

  useEffect(() => {
    const again = () => setTheme((n) => n + 1);
    const media = window.matchMedia("(prefers-color-scheme: dark)");
    media.addEventListener("change", again);
    window.addEventListener("themechange", again);
    return () => {
      media.removeEventListener("change", again);
      window.removeEventListener("themechange", again);
    };
  }, []);

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const data = [latest.current.times, ...latest.current.series.map((series) => series.values)] as uPlot.AlignedData;
    plot.current = new uPlot(options(latest.current, latest, element.clientWidth, setAt), data, element);
    const watch = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height: latest.current.height ?? 150 }));
    watch.observe(element);
    return () => {
      watch.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [shape, theme]);

  useEffect(() => {
    plot.current?.setData([props.times, ...props.series.map((series) => series.values)] as uPlot.AlignedData);
  }, [props.times, props.series, props.from, props.to]);

  const index = at ?? props.times.length - 1;
  return (
    <figure class="chart" aria-label={props.label}>
      <figcaption class="legend">
        {props.series.map((series) => {
          const value = series.values[index];
          return (
            <span key={series.label}>
              <i class="dot" style={{ background: `var(${series.color})` }} /> {series.label}{" "}
              <b>{value === null || value === undefined ? "–" : series.format(value)}</b>
            </span>
          );
        })}
        <span class="note">{props.times[index] === undefined ? "" : clock(props.times[index] ?? 0)}</span>
      </figcaption>
      <div class="chart-box" role="img" aria-label={`${props.label}: ${props.series.map((series) => series.label).join(", ")}`} ref={box} />
    </figure>
  );
}
