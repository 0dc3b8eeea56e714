/** An answer's numbers over time, a colour for each line. */

import type { Lines } from "../data/series";
import { digits } from "../format";
import { Chart } from "./chart";

const COLORS = 8;

interface Props {
  lines: Lines;
  from: number;
  to: number;
  step: number;
}

export function LinesChart({ lines, from, to, step }: Props) {
  const series = lines.lines.map((line, at) => ({ label: line.label, color: `--p${(at % COLORS) + 1}`, format: digits, values: line.values }));
  return <Chart label="Answer over time" height={230} times={lines.times} from={from} to={to} step={step} series={series} />;
}
