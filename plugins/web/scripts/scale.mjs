/**
 * What the pages cost when there is much to show, in Chromium: elements, frames, heap. Prints JSON, for tests/test_scale.py and `script/bench web`.
 *   node scripts/scale.mjs map|table|day URL [rounds and one screen, for day]
 */

import { launch, open, SCREENS, settled } from "./browser.mjs";

const [task, base, rounds = "300", only = ""] = process.argv.slice(2);
const browser = await launch();
/** An answer of the querier. */
function answer(columns, values) {
  return JSON.stringify({ OPT_STATUS: "SUCCESS", result: { columns, values, schemas: columns.map(() => ({ value_type: "", unit: "" })) }, warnings: [] });
}

/** Services that call each other: each is called by one before it and some by more, as in a mesh. */
function calls(services, edges, name) {
  return Array.from({ length: edges }, (_, at) => {
    const to = 1 + (at % (services - 1));
    const from = at < services ? Math.floor((to - 1) / 3) : (at * 7919) % services;
    return [name(from), name(to), 8080, ["HTTP", "gRPC", "MySQL", "Redis"][to % 4], at % 3 ? 0 : 1, 100 + (at % 50), at % 11 ? 0 : 9, 0, 900 + at, 5000 + at, `10.${to >> 8}.${to & 255}.1`];
  });
}

const EDGE_COLUMNS = ["client", "server", "server_port", "l7_protocol", "is_tls", "requests", "errors", "timeouts", "delay", "slowest", "server_ip"];
const asEdges = (rows) => answer(EDGE_COLUMNS, rows);

/** Lengths of frames in milliseconds and tasks of more than 50 ms, while `act` runs. */
async function frames(page, act) {
  await page.evaluate(() => {
    const seen = (window.seen = { frames: [], long: [], on: true });
    seen.observer = new PerformanceObserver((list) => list.getEntries().forEach((entry) => seen.long.push(entry.duration)));
    seen.observer.observe({ type: "longtask" });
    let last = performance.now();
    const tell = (now) => {
      seen.frames.push(now - last);
      last = now;
      if (seen.on) requestAnimationFrame(tell);
    };
    requestAnimationFrame(tell);
  });
  await act();
  return page.evaluate(() => {
    const { frames, long, observer } = window.seen;
    window.seen.on = false;
    observer.disconnect();
    const sorted = frames.slice(1).sort((a, b) => a - b);
    const at = (share) => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0);
    return { frames: sorted.length, p50_ms: at(0.5), p95_ms: at(0.95), max_ms: at(1), long_tasks: long.length, long_ms: Math.round(long.reduce((sum, one) => sum + one, 0)) };
  });
}

const elements = (page) => page.evaluate(() => document.querySelectorAll("*").length);

/** The map of 500 services, moved and zoomed; then of 10,000, folded by a tag, by kind, and looked into. */
async function map() {
  const out = {};
  for (const services of [500, 10_000]) {
    const { page, wrong, close } = await open(browser, base, { width: 1440, height: 900, theme: "light" });
    const many = asEdges(calls(services, Math.min(5000, services * 2), (at) => `team${at % 40}-app-${at}`));
    const few = asEdges(calls(40, 120, (at) => `namespace-${at}`));
    const groups = answer(["services", "pod_group", "pod_ns", "pod_node", "host", "pod_cluster", "az"], [[services, 4000, 40, 1, 1, 1, 1]]);
    await page.route("**/v1/query", (route) => {
      const { sql } = route.request().postDataJSON();
      if (sql.includes("AS services")) return route.fulfill({ contentType: "application/json", body: groups });
      if (sql.includes("pod_ns_0 AS client")) return route.fulfill({ contentType: "application/json", body: few });
      if (sql.includes("AS client")) return route.fulfill({ contentType: "application/json", body: many });
      return route.continue();
    });
    await page.goto(`${base}map`);
    await settled(page);
    await page.locator("select").nth(1).selectOption("0");
    const look = async () => ({ elements: await elements(page), nodes: await page.locator(".node").count(), edges: await page.locator(".edge").count() });
    const found = (out[services] = { first: await look() });
    const frame = await page.locator("svg.map").boundingBox();
    found.moved = await frames(page, async () => {
      await page.mouse.move(frame.x + 6, frame.y + 6);
      await page.mouse.down();
      for (let step = 0; step < 40; step += 1) await page.mouse.move(frame.x + 6 + step * 9, frame.y + 6 + step * 5);
      await page.mouse.up();
      for (let step = 0; step < 20; step += 1) await page.mouse.wheel(0, step < 10 ? -120 : 120);
    });
    found.refreshed = await frames(page, async () => {
      for (let step = 0; step < 5; step += 1) {
        await page.getByRole("button", { name: "Refresh" }).click();
        await page.waitForTimeout(100);
      }
    });
    if (services > 500) {
      found.note = await page.locator(".fold-note").innerText();
      await page.getByRole("combobox", { name: "Fold by" }).selectOption("kind");
      await settled(page);
      found.kind = await look();
      await page.getByRole("combobox", { name: "Fold by" }).selectOption("no");
      await settled(page);
      found.unfolded = { ...(await look()), note: await page.locator(".fold-note").innerText() };
      await page.getByRole("combobox", { name: "Fold by" }).selectOption("pod_ns");
      await settled(page);
      await page.locator(".node").nth(3).focus();
      await page.keyboard.press("Enter");
      found.inside = await page.getByRole("link", { name: "Its services" }).getAttribute("href");
      await page.getByRole("searchbox", { name: "Find a service" }).fill("app-77");
      await settled(page);
      found.looked = await look();
    }
    found.wrong = wrong;
    await close();
  }
  return out;
}

/** An answer of 100,000 rows: scrolled to its end, put in order, and walked by key. */
async function table() {
  const { page, wrong } = await open(browser, base, { width: 1440, height: 900, theme: "light" });
  const rows = Array.from({ length: 100_000 }, (_, at) => [at, `service-${at % 977}`, "HTTP", (at * 7919) % 100_003, at % 13 ? "ok" : "server_error", `/path/${at}`]);
  const body = answer(["n", "service", "protocol", "took", "status", "path"], rows);
  await page.route("**/v1/query", (route) => (route.request().postDataJSON().sql.includes("MANY") ? route.fulfill({ contentType: "application/json", body }) : route.continue()));
  await page.goto(`${base}explore?q=${encodeURIComponent("SELECT MANY FROM l7_flow_log")}`);
  const grid = page.getByRole("table", { name: "Answer" });
  await grid.locator(".table-row").first().waitFor();
  const out = { rows: Number(await grid.getAttribute("aria-rowcount")) - 1, elements: await elements(page) };
  out.scrolled = await frames(page, async () => {
    const place = await grid.boundingBox();
    await page.mouse.move(place.x + 200, place.y + 100);
    for (let step = 0; step < 60; step += 1) await page.mouse.wheel(0, 900);
  });
  await grid.evaluate((element) => (element.scrollTop = element.scrollHeight));
  await page.waitForTimeout(100);
  out.last = await grid.locator(".table-row").last().innerText();
  out.shown = await grid.locator(".table-row").count();
  out.ordered = await frames(page, () => page.getByRole("button", { name: "took" }).click());
  await grid.evaluate((element) => (element.scrollTop = 0));
  await page.waitForTimeout(100);
  out.greatest = await grid.locator(".table-row").first().innerText();
  out.after = await elements(page);
  return { ...out, wrong };
}

/**
 * A tab that is left open: every screen asks everything again, `rounds` times. After the first time the page's own `fetch` answers what
 * the server answered then, so that a day's refreshes take a minute; all else is the page as it is.
 */
async function day() {
  const { page, wrong } = await open(browser, base, { width: 1440, height: 900, theme: "light" });
  await page.addInitScript(() => {
    const real = window.fetch.bind(window);
    const known = new Map();
    window.asked = 0;
    window.fetch = async (url, init) => {
      const key = `${url} ${init?.body ?? ""}`.replace(/\d+/g, "#");
      window.asked += 1;
      if (!known.has(key)) {
        const said = await real(url, init);
        known.set(key, [await said.text(), said.status, said.headers.get("content-type")]);
      }
      const [text, status, type] = known.get(key);
      return new Response(text, { status, headers: { "content-type": type ?? "application/json" } });
    };
  });
  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable");
  const held = async () => {
    for (let time = 0; time < 2; time += 1) await session.send("HeapProfiler.collectGarbage");
    const { metrics } = await session.send("Performance.getMetrics");
    const read = (name) => metrics.find((one) => one.name === name)?.value ?? 0;
    return { heap: read("JSHeapUsedSize"), nodes: read("Nodes"), listeners: read("JSEventListeners"), asked: await page.evaluate(() => window.asked) };
  };
  const refresh = (times) =>
    page.evaluate(async (count) => {
      const button = [...document.querySelectorAll("button")].find((one) => one.textContent === "Refresh");
      for (let round = 0; round < count; round += 1) {
        button.click();
        await new Promise((next) => setTimeout(next, 4));
      }
    }, times);
  const out = {};
  for (const name of ["overview", "map", "requests", "flows", "health"].filter((each) => only === "" || each === only)) {
    await page.goto(base + SCREENS[name]);
    await settled(page);
    await page.locator("select").nth(1).selectOption("0");
    await refresh(60);
    const before = await held();
    await refresh(Number(rounds));
    out[name] = { rounds: Number(rounds), before, after: await held(), problems: await page.locator(".problem").allInnerTexts() };
  }
  return { screens: out, wrong };
}

try {
  console.log(JSON.stringify(await { map, table, day }[task]()));
} finally {
  await browser.close();
}
