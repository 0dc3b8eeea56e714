/**
 * Makes the pictures of the README and the documentation from the demo, two minutes after its start:
 *   mflow demo --port 8088                                   (in another terminal)
 *   npm run pictures -- http://127.0.0.1:8088/ ../../docs/images
 */

import { launch, open, settled } from "./browser.mjs";

const [base = "http://127.0.0.1:8088/", folder = "../../docs/images"] = process.argv.slice(2);
const PICTURES = [
  ["ui-overview", "", "light"],
  ["ui-map", "map", "dark"],
  ["ui-requests", "requests", "light"],
  ["ui-flows", "flows", "dark"],
  ["ui-promql", `explore?lang=promql&q=${encodeURIComponent("sum by (server_port, l7_protocol_enum) (flow_metrics__application_map__request__1m)")}`, "light"],
  ["ui-trace", `trace?where=${encodeURIComponent("endpoint = '/orders' and response_status = 'ok'")}`, "light"],
  ["ui-health", "health", "dark"],
];

const browser = await launch();
for (const [name, path, theme] of PICTURES) {
  const { page, wrong, close } = await open(browser, base, { width: 1240, height: 780, theme });
  await page.goto(base + path);
  await settled(page);
  // asked for when the first failures are known
  if (name === "ui-overview") await page.waitForSelector(".pill.begins", { timeout: 20_000 }).catch(() => console.error("ui-overview: nothing is marked as where failures begin"));
  if (name === "ui-trace") {
    // one that goes through several services
    const rows = page.getByRole("table", { name: "Traces" }).getByRole("link");
    await rows.first().click();
    await page.getByRole("tree", { name: "Waterfall" }).getByRole("treeitem").first().waitFor();
    await settled(page);
  }
  await page.screenshot({ path: `${folder}/${name}.png` });
  for (const said of wrong) console.error(`${name}: ${said}`);
  await close();
}
await browser.close();
