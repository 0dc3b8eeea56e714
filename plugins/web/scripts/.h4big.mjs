// frames while a map of 500 services and a table of 100,000 rows move; heap over thousands of refreshes
import { launch, open, settled, SCREENS } from "./browser.mjs";
const [base] = process.argv.slice(2);
const browser = await launch();
const { page, wrong } = await open(browser, base, { width: 1440, height: 900, theme: "light" });
const services = 10000, rowsN = 100000;
await page.route("**/v1/query", async (route) => {
  const sql = JSON.parse(route.request().postData() ?? "{}").sql ?? "";
  if (/FROM application_map/.test(sql) && /client/.test(sql) && /GROUP BY/.test(sql) && !/AS t/.test(sql)) {
    const answer = await route.fetch(); const body = JSON.parse((await answer.text()).replace(/[\x00-\x1f]/g, ""));
    const cols = body.result.columns, first = body.result.values[0]; if (!first) return route.fulfill({ response: answer });
    const put = (values, name, value) => { const at = cols.indexOf(name); if (at >= 0) values[at] = value; };
    body.result.values = Array.from({ length: services }, (_, n) => { const v = [...first]; put(v, "client", `client-${n % 400}`); put(v, "server", `svc-${n}`); put(v, "requests", 10 + (n % 1000)); return v; });
    return route.fulfill({ response: answer, body: JSON.stringify(body) });
  }
  if (/FROM l7_flow_log/.test(sql) && /request_resource/.test(sql) && /LIMIT/.test(sql)) {
    const answer = await route.fetch(); const body = JSON.parse((await answer.text()).replace(/[\x00-\x1f]/g, ""));
    const first = body.result.values; if (!first.length) return route.fulfill({ response: answer });
    body.result.values = Array.from({ length: rowsN }, (_, n) => { const v = [...first[n % first.length]]; v[body.result.columns.indexOf("flow_id")] = String(n + 1); return v; });
    return route.fulfill({ response: answer, body: JSON.stringify(body) });
  }
  return route.continue();
});
const frames = async (act) => {
  await page.evaluate(() => { window.f = []; let last = performance.now(); const tick = (t) => { window.f.push(t - last); last = t; window.going = requestAnimationFrame(tick); }; window.going = requestAnimationFrame(tick); });
  await act();
  const f = await page.evaluate(() => { cancelAnimationFrame(window.going); return window.f; });
  f.sort((a, b) => a - b);
  return { frames: f.length, median_ms: f[Math.floor(f.length / 2)]?.toFixed(1), p95_ms: f[Math.floor(f.length * 0.95)]?.toFixed(1), worst_ms: f.at(-1)?.toFixed(1) };
};
const session = await page.context().newCDPSession(page);
await session.send("Performance.enable");
const held = async () => { await session.send("HeapProfiler.collectGarbage"); const { metrics } = await session.send("Performance.getMetrics"); const r = (n) => metrics.find((m) => m.name === n)?.value; return { heap_mb: (r("JSHeapUsedSize") / 1e6).toFixed(1), nodes: r("Nodes"), listeners: r("JSEventListeners") }; };
const out = {};
let t = Date.now();
await page.goto(base + "map"); await settled(page); out.map_ready_s = (Date.now() - t) / 1000; out.map_nodes = await page.locator(".node").count(); out.map_edges = await page.locator(".edge").count();
out.map_says = (await page.locator("main").innerText()).match(/.{0,60}(not shown|busiest|hidden|more).{0,60}/)?.[0];
await page.locator("select").nth(1).selectOption("0");
out.map_pan = await frames(async () => { await page.mouse.move(900, 500); await page.mouse.down(); for (let i = 0; i < 60; i++) await page.mouse.move(900 - i * 5, 500 + (i % 20)); await page.mouse.up(); });
out.map_zoom = await frames(async () => { for (let i = 0; i < 30; i++) await page.mouse.wheel(0, i < 15 ? -60 : 60); await page.waitForTimeout(300); });
t = Date.now();
await page.goto(base + "requests"); await settled(page); out.table_ready_s = (Date.now() - t) / 1000;
out.table_rows = await page.getByRole("grid", { name: "Requests" }).getAttribute("aria-rowcount");
await page.locator("select").nth(1).selectOption("0");
const grid = page.getByRole("grid", { name: "Requests" });
await grid.hover();
out.table_scroll = await frames(async () => { for (let i = 0; i < 60; i++) await page.mouse.wheel(0, 400 + i * 200); await page.waitForTimeout(300); });
await grid.focus(); await page.keyboard.press("End"); await page.waitForTimeout(500);
out.last_row = await grid.evaluate((e) => [...e.querySelectorAll("[aria-rowindex]")].at(-1)?.getAttribute("aria-rowindex"));
out.table_heap = await held();
await page.unroute("**/v1/query");
const rounds = Number(process.argv[3] ?? 2000);
await page.route("**/v1/**", async (route) => { // the answers of one round again and again: thousands of refreshes without a server
  const key = route.request().url() + (route.request().postData() ?? "").replace(/\d{9,}/g, "0");
  globalThis.kept ??= new Map();
  if (!globalThis.kept.has(key)) { const a = await route.fetch(); globalThis.kept.set(key, { status: a.status(), body: await a.text(), headers: a.headers() }); }
  const k = globalThis.kept.get(key); await route.fulfill({ status: k.status, body: k.body, contentType: "application/json" });
});
for (const name of ["overview", "map"]) {
  await page.goto(base + SCREENS[name]); await settled(page);
  await page.locator("select").nth(1).selectOption("0");
  const seen = [];
  for (let part = 0; part <= 4; part++) {
    if (part) for (let i = 0; i < rounds / 8; i++) { await page.evaluate(() => [...document.querySelectorAll("button")].find((b) => b.textContent === "Refresh").click()); await page.waitForTimeout(5); }
    await settled(page); seen.push(await held());
  }
  out[`${name}_heap`] = seen;
}
out.wrong = wrong.slice(0, 5);
console.log(JSON.stringify(out, null, 1));
await browser.close();
