/** JSON in which whole numbers beyond 2^53 (flow ids, trace numbers) stay exact: they become text. */

type Reviver = (this: unknown, key: string, value: unknown, context?: { source?: string }) => unknown;

const keepExact: Reviver = (_key, value, context) =>
  typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value) && context?.source !== undefined
    ? context.source
    : value;

/** Parses a JSON document. Throws a SyntaxError for what is none. */
export function parseJson(text: string): unknown {
  // the reviver costs time, so it is used only where a number of 16 digits or more stands
  return /[[:,\s]-?\d{16}/.test(text) ? JSON.parse(text, keepExact) : JSON.parse(text);
}
