/** Numbers, times and sizes for people. Pure functions; microseconds in, short text out. */

const SI = ["", " k", " M", " G", " T"];

function scaled(value: number, base: number, units: string[]): string {
  let size = Math.abs(value);
  let step = 0;
  while (size >= base && step < units.length - 1) {
    size /= base;
    step += 1;
  }
  return `${value < 0 ? "-" : ""}${digits(size)}${units[step]}`;
}

/** Three meaningful digits, whole numbers as they are. */
export function digits(value: number): string {
  if (!Number.isFinite(value)) return "–";
  if (Number.isInteger(value) && Math.abs(value) < 1000) return String(value);
  const size = Math.abs(value);
  if (size >= 100) return String(Math.round(value));
  if (size >= 10) return trimmed(value.toFixed(1));
  if (size >= 0.01) return trimmed(value.toFixed(2));
  return size === 0 ? "0" : trimmed(value.toPrecision(2));
}

function trimmed(text: string): string {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

export function count(value: number): string {
  return scaled(value, 1000, SI);
}

export function rate(perSecond: number): string {
  return `${count(perSecond)}/s`;
}

export function bytes(value: number): string {
  return scaled(value, 1000, [" B", " kB", " MB", " GB", " TB"]);
}

/** Microseconds as the unit that fits; a dash when nothing was measured. */
export function duration(us: number | null): string {
  if (us === null || !Number.isFinite(us)) return "–";
  if (us < 1000) return `${digits(us)} µs`;
  if (us < 1_000_000) return `${digits(us / 1000)} ms`;
  if (us < 120_000_000) return `${digits(us / 1_000_000)} s`;
  return span(us / 1_000_000);
}

export function percent(ratio: number | null): string {
  if (ratio === null || !Number.isFinite(ratio)) return "–";
  const value = ratio * 100;
  if (value > 0 && value < 0.1) return "<0.1 %";
  return `${value >= 10 ? Math.round(value) : trimmed(value.toFixed(1))} %`;
}

/** Seconds as a length of time: 90 s, 15 min, 3 h. */
export function span(seconds: number): string {
  if (seconds < 120) return `${digits(seconds)} s`;
  if (seconds < 7200) return `${digits(seconds / 60)} min`;
  if (seconds < 172_800) return `${digits(seconds / 3600)} h`;
  return `${digits(seconds / 86_400)} d`;
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}

/** Local time of day; with milliseconds for single requests. */
export function clock(seconds: number, fine = false): string {
  const date = new Date(seconds * 1000);
  const text = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return fine ? `${text}.${String(date.getMilliseconds()).padStart(3, "0")}` : text;
}

export function day(seconds: number): string {
  const date = new Date(seconds * 1000);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

export function moment(seconds: number): string {
  return `${day(seconds)} ${clock(seconds)}`;
}

/** Times come as seconds, milliseconds, micro- or nanoseconds, or as ISO text: seconds since 1970, or null. */
export function seconds(value: unknown): number | null {
  if (typeof value === "string" && /[-:T]/.test(value)) {
    const plain = value.replace(" ", "T");
    const zoned = /(Z|[+-]\d\d:?\d\d)$/.test(plain) ? plain : `${plain}Z`;
    const fraction = /\.(\d+)/.exec(zoned)?.[1];
    // browsers keep milliseconds; the digits behind are ours
    const parsed = Date.parse(zoned.replace(/\.\d+/, ""));
    return Number.isNaN(parsed) ? null : parsed / 1000 + (fraction ? Number(`0.${fraction}`) : 0);
  }
  const found = Number(value);
  if (!Number.isFinite(found) || value === null || value === "" || found <= 0) return null;
  if (found > 1e17) return found / 1e9;
  if (found > 1e14) return found / 1e6;
  if (found > 1e11) return found / 1e3;
  return found;
}
