/** How ends of a conversation are called. */

const LOOPBACK = /^(127\.|::1$|\[?::1\]?$|localhost$)/;

/** An address, as opposed to a name that somebody gave. */
export function isAddress(name: string): boolean {
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(name) || (name.includes(":") && /^[0-9a-f:.]+$/i.test(name));
}

export function isLoopback(name: string): boolean {
  return LOOPBACK.test(name);
}

/** A server: an address is told by its port as well, a name stands alone. */
export function serverName(name: string, port: number): string {
  if (port === 0 || (name !== "" && !isAddress(name))) return name || "unknown";
  return name.includes(":") ? `[${name}]:${port}` : `${name}:${port}`;
}
