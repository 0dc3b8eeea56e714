/** Counts of (time, duration) in cells: durations by thirds of a power of ten, from a microsecond to a thousand seconds. Pure. */

export interface Cell {
  column: number;
  row: number;
  total: number;
  failed: number;
}

export interface Heat {
  cells: Cell[];
  columns: number;
  /** Rows in use, lowest duration first: [first, last]. */
  low: number;
  high: number;
  most: number;
}

const PER_DECADE = 3;
const MOST_ROW = 9 * PER_DECADE;

export function rowOf(us: number): number {
  if (us < 1) return 0;
  return Math.min(MOST_ROW, Math.floor(Math.log10(us) * PER_DECADE + 1e-9));
}

/** Lower bound of a row, microseconds. */
export function boundOf(row: number): number {
  return 10 ** (row / PER_DECADE);
}

/** How red a cell is, percent: by the root of the share that failed, so that one of a hundred is seen and half of them glares. */
export function redness(cell: Cell): number {
  return cell.total ? Math.round(100 * Math.sqrt(cell.failed / cell.total)) : 0;
}

export interface Dot {
  timeS: number;
  us: number;
  failed: boolean;
}

export function heatOf(dots: Dot[], from: number, to: number, columns: number): Heat {
  const cells = new Map<number, Cell>();
  let low = MOST_ROW;
  let high = 0;
  for (const dot of dots) {
    if (dot.timeS < from || dot.timeS >= to) continue;
    const column = Math.min(columns - 1, Math.floor(((dot.timeS - from) / (to - from)) * columns));
    const row = rowOf(dot.us);
    const key = row * columns + column;
    const cell = cells.get(key) ?? { column, row, total: 0, failed: 0 };
    cell.total += 1;
    if (dot.failed) cell.failed += 1;
    cells.set(key, cell);
    low = Math.min(low, row);
    high = Math.max(high, row);
  }
  const list = [...cells.values()];
  return { cells: list, columns, low: Math.min(low, high), high, most: Math.max(1, ...list.map((cell) => cell.total)) };
}
