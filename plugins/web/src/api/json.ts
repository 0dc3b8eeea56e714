/** JSON in which whole numbers beyond 2^53 (flow ids, trace numbers) stay exact: they become text. */

type Reviver = (key: string, value: unknown, context?: { source?: string }) => unknown;
type Parse = (text: string, reviver?: Reviver) => unknown;

const parse = JSON.parse as Parse;

const keepExact: Reviver = (_key, value, context) =>
  typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value) && context?.source !== undefined
    ? context.source
    : value;

/** Whether this runtime tells a reviver the digits as they stood (ECMAScript 2026); Safari before 18.4 and Node 20 do not. */
export const TELLS_SOURCE = parse("1", (_key, _value, context) => context?.source) === "1";

/** Texts as they are, and long whole numbers outside of them in quotes. */
export function quoteLongNumbers(text: string): string {
  // whole tokens are taken, so that the digits behind a point are never looked at alone
  return text.replace(/"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g, (token) => (/^-?\d{16,}$/.test(token) ? `"${token}"` : token));
}

/** Parses a JSON document. Throws a SyntaxError for what is none. */
export function parseJson(text: string): unknown {
  // either way costs time, so it is gone only where a number of 16 digits or more stands
  if (!/[[:,\s]-?\d{16}/.test(text)) return parse(text);
  return TELLS_SOURCE ? parse(text, keepExact) : parse(quoteLongNumbers(text));
}
