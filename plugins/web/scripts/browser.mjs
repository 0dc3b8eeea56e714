/** Debian's Chromium, driven by playwright-core; no network but the server under test. */

import { chromium } from "playwright-core";

const QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

export const SCREENS = {
  overview: "",
  map: "map",
  requests: "requests",
  flows: "flows",
  trace: "trace",
  explore: `explore?q=${encodeURIComponent("SELECT time(time, 1) AS t, l7_protocol, Count(row) AS requests FROM l7_flow_log GROUP BY t, l7_protocol ORDER BY t")}`,
  promql: `explore?lang=promql&q=${encodeURIComponent("sum by (server_port, l7_protocol_enum) (flow_metrics__application_map__request__1m)")}`,
  health: "health",
};

export function launch() {
  return chromium.launch({ executablePath: process.env.METAFLOW_CHROMIUM ?? "/usr/bin/chromium", args: QUIET });
}

/** A page that writes down what went wrong: exceptions, refused resources, requests to other hosts. */
export async function open(browser, base, { width, height, theme }) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: theme, timezoneId: "UTC", permissions: ["clipboard-read", "clipboard-write"] });
  const page = await context.newPage();
  const wrong = [];
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && wrong.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => wrong.push(`exception: ${error.message}`));
  page.on("request", (request) => !request.url().startsWith(base) && wrong.push(`request elsewhere: ${request.url()}`));
  return { page, wrong, close: () => context.close() };
}

/** Until the server has answered what the screen asks. */
export async function settled(page) {
  await page.waitForSelector("main .panel");
  await page.waitForFunction(() => document.querySelectorAll(".waiting").length === 0, undefined, { timeout: 60_000 });
  await page.waitForTimeout(300);
}
