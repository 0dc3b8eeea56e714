/**
 * Drives every screen in Chromium and prints what was found as JSON, for tests/test_pages.py.
 *   node scripts/drive.mjs screens|keyboard|trace|use|hostile|follow URL [FOLDER for pictures]
 */

import { launch, open, SCREENS, settled } from "./browser.mjs";
import { faults, walk } from "./reach.mjs";

const [task, base, folder] = process.argv.slice(2);
const browser = await launch();
const tasks = { screens, keyboard, trace, use, hostile, follow };
try {
  console.log(JSON.stringify(await tasks[task]()));
} finally {
  await browser.close();
}

/** Every screen at two widths in both themes: what it says, what went wrong, whether it is wider than the window, who is left out. */
async function screens() {
  const found = [];
  const { page, wrong } = await open(browser, base, { width: 1440, height: 900, theme: "light" });
  for (const [name, path] of Object.entries(SCREENS)) {
    for (const width of [1440, 800]) {
      await page.setViewportSize({ width, height: 900 });
      await page.emulateMedia({ colorScheme: "light" });
      wrong.length = 0;
      await page.goto(base + path);
      await settled(page);
      for (const theme of ["light", "dark"]) {
        await page.emulateMedia({ colorScheme: theme });
        await page.waitForTimeout(100);
        if (folder) await page.screenshot({ path: `${folder}/${name}-${width}-${theme}.png` });
        found.push({
          name,
          width,
          theme,
          title: await page.title(),
          text: await page.locator("main").innerText(),
          problems: await page.locator(".problem").allInnerTexts(),
          wider: await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth),
          background: await page.evaluate(() => getComputedStyle(document.body).backgroundColor),
          faults: await page.evaluate(faults),
          wrong: [...wrong],
        });
      }
    }
  }
  return found;
}

/** Every screen by Tab alone: which places it leads to. */
async function keyboard() {
  const found = [];
  const { page, wrong } = await open(browser, base, { width: 1440, height: 900, theme: "light" });
  for (const [name, path] of Object.entries(SCREENS)) {
    await page.goto(base + path);
    await settled(page);
    await page.locator("select").nth(1).selectOption("0"); // what refreshes itself would move under the walker
    found.push({ name, ...(await walk(page)) });
  }
  await page.goto(`${base}requests`);
  await settled(page);
  const out = { screens: found, wrong };
  await page.keyboard.press("Tab");
  out.first = await page.evaluate(() => document.activeElement?.textContent?.trim());
  await page.keyboard.press("Enter");
  out.skipped = await page.evaluate(() => document.activeElement?.id);
  const grid = page.getByRole("grid", { name: "Requests" });
  await grid.focus();
  await page.keyboard.press("ArrowDown");
  out.active = await grid.evaluate((element) => document.getElementById(element.getAttribute("aria-activedescendant"))?.getAttribute("aria-rowindex"));
  await page.keyboard.press("Enter");
  await page.waitForSelector(".side .facts");
  out.selected = await page.locator("[role=row][aria-selected=true]").getAttribute("aria-rowindex");
  await page.locator(".side").getByRole("button", { name: "Copy as" }).focus();
  await page.keyboard.press("Enter");
  await page.waitForSelector("[role=menuitem]:focus");
  out.menu = [await page.evaluate(() => document.activeElement?.textContent)];
  await page.keyboard.press("ArrowDown");
  out.menu.push(await page.evaluate(() => document.activeElement?.textContent));
  await page.keyboard.press("Escape");
  out.menu.push(await page.evaluate(() => document.activeElement?.textContent));
  await page.locator(".side").waitFor();
  await page.keyboard.press("Escape");
  await page.waitForSelector(".side", { state: "detached" });
  return out;
}

/** One trace at two widths in both themes: from the list to the waterfall, its evidence and the flame graph, by mouse and by keyboard. */
async function trace() {
  const found = [];
  for (const [width, theme] of [[1440, "light"], [800, "dark"]]) {
    const { page, wrong, close } = await open(browser, base, { width, height: 900, theme });
    const out = { width, theme, wrong };
    const wider = () => page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    const picture = (name) => folder && page.screenshot({ path: `${folder}/${name}-${width}-${theme}.png` });

    await page.goto(`${base}trace`);
    await settled(page);
    out.listed = await page.getByRole("table", { name: "Traces" }).locator("tbody tr").count();
    const box = page.getByRole("textbox", { name: "Only traces with a request for which this is true" });
    await box.fill("request_resource = '/cart/1'");
    await box.press("Enter");
    await page.waitForURL(/where=/);
    await settled(page);
    out.cells = await page.getByRole("table", { name: "Traces" }).locator("tbody tr").first().locator("td").allInnerTexts();
    await page.getByRole("table", { name: "Traces" }).getByRole("link").first().click();
    const rows = page.getByRole("tree", { name: "Waterfall" }).getByRole("treeitem");
    await rows.first().waitFor();
    out.figures = await page.locator(".figures").innerText();
    out.rows = await rows.evaluateAll((all) => all.map((row) => ({ level: Number(row.getAttribute("aria-level")), text: row.innerText, bar: row.querySelector("i").getBoundingClientRect().width })));
    out.services = await page.getByRole("table", { name: "Services" }).innerText();
    out.wider = [await wider()];
    await picture("trace-waterfall");

    await rows.first().focus();
    await page.keyboard.press("Enter");
    const evidence = page.getByRole("complementary", { name: "Evidence" });
    await evidence.waitFor();
    out.root = await evidence.innerText();
    await rows.nth(1).click();
    await page.waitForFunction(() => document.querySelectorAll(".hop.picked")[0] === document.querySelectorAll(".hop")[1]);
    out.evidence = await evidence.innerText();
    out.requests = await evidence.getByRole("link", { name: "Its requests" }).getAttribute("href");
    out.wider.push(await wider());
    await picture("trace-evidence");

    await page.getByRole("button", { name: "Flame" }).click();
    const flame = page.getByRole("group", { name: "Flame graph" });
    await flame.waitFor();
    out.flame = await flame.getByRole("button").count();
    out.wider.push(await wider());
    await picture("trace-flame");
    const shared = page.url();
    await evidence.getByRole("button", { name: "Close" }).click();
    await evidence.waitFor({ state: "detached" });
    await page.goto(shared);
    await flame.waitFor();
    out.shared = await evidence.innerText();
    out.problems = await page.locator(".problem").allInnerTexts();
    found.push({ ...out, wrong: [...wrong] });
    await close();
  }
  return found;
}

/** What a person does: pick, filter, go back, copy, ask; mostly by keyboard. */
async function use() {
  const { page, wrong } = await open(browser, base, { width: 1440, height: 900, theme: "light" });
  const out = {};

  await page.goto(base);
  await settled(page);
  await page.getByRole("grid", { name: "Services" }).getByRole("link").first().click();
  await settled(page);
  out.afterService = page.url();
  out.chips = await page.locator(".chip").allInnerTexts();
  await page.goBack();
  await settled(page);
  out.back = new URL(page.url()).pathname;

  await page.goto(`${base}map`);
  await settled(page);
  await page.locator(".node").last().focus();
  await page.keyboard.press("Enter");
  await page.waitForSelector(".side");
  out.pickedNode = await page.locator(".side").innerText();
  await page.locator(".edge").first().focus();
  await page.keyboard.press("Enter");
  await page.waitForSelector(".side .facts");
  await settled(page);
  if (folder) await page.screenshot({ path: `${folder}/map-picked.png` });
  await page.getByRole("link", { name: "Requests of this edge" }).click();
  await settled(page);
  out.edgeRequests = await page.locator(".table-row").count();
  await page.goto(`${base}map?by=ip`);
  await settled(page);
  out.byAddress = await page.locator(".node").count();

  await page.goto(`${base}requests`);
  await settled(page);
  await page.getByRole("grid", { name: "Requests" }).focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".side .facts");
  await settled(page);
  if (folder) await page.screenshot({ path: `${folder}/requests-picked.png` });
  out.pickedRows = await page.locator(".table-row.picked").count();
  out.pickedText = await page.locator(".table-row.picked").innerText();
  out.detail = await page.locator(".side").innerText();
  const shared = page.url();
  const other = await open(browser, base, { width: 1440, height: 900, theme: "dark" });
  await other.page.goto(shared);
  await settled(other.page);
  out.sharedDetail = (await other.page.locator(".side .facts").innerText()) === (await page.locator(".side .facts").innerText());
  await other.close();
  await page.getByRole("link", { name: "Its flow" }).click();
  await settled(page);
  out.flowRows = await page.locator(".table-row").count();

  await page.goto(`${base}requests`);
  await settled(page);
  await page.locator(".facet button", { hasText: "server_error" }).click();
  await settled(page);
  out.filtered = await page.locator(".table-row .pill").allInnerTexts();
  await page.locator("section[aria-label=Requests]").getByRole("button", { name: "Copy as" }).click();
  await page.getByRole("menuitem", { name: "curl" }).click();
  out.curl = await page.evaluate(() => navigator.clipboard.readText());

  await page.goto(`${base}explore`);
  await settled(page);
  await page.getByRole("textbox", { name: "SQL" }).fill("");
  await page.getByRole("textbox", { name: "SQL" }).pressSequentially("SELECT l7_proto");
  await page.waitForSelector(".suggestions");
  await page.getByRole("textbox", { name: "SQL" }).fill("SELECT  FROM l7_flow_log");
  await page.getByRole("textbox", { name: "SQL" }).press("Home");
  for (let at = 0; at < 7; at += 1) await page.keyboard.press("ArrowRight");
  await page.keyboard.type("l7_proto");
  await page.waitForSelector(".suggestions");
  await page.keyboard.press("Tab");
  await page.keyboard.type(", Count(row) AS n");
  await page.keyboard.press("End");
  await page.keyboard.type(" GROUP BY l7_protocol ORDER BY n DESC");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Control+Enter");
  await page.waitForSelector("section[aria-label=Answer]");
  await settled(page);
  out.answer = await page.locator("section[aria-label=Answer]").innerText();
  await page.getByRole("textbox", { name: "SQL" }).fill("SELECT nonsense FROM l7_flow_log");
  wrong.length = 0; // a refusal is an answer with status 400, which the browser writes down
  await page.keyboard.press("Control+Enter");
  await page.waitForSelector(".problem");
  out.refusal = await page.locator(".problem").first().innerText();
  wrong.length = 0;

  await page.goto(`${base}nowhere`);
  await page.waitForSelector("main .empty");
  out.nowhere = await page.locator("main").innerText();
  await page.goto(base);
  await page.getByRole("button", { name: "Use dark colours" }).click();
  await page.reload();
  await settled(page);
  out.keptTheme = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  out.wrong = wrong;
  return out;
}

/** Follows the requests live, asks in PromQL with completion, moves through time on the map, asks the doctor. */
async function follow() {
  const { page, wrong } = await open(browser, base, { width: 1440, height: 900, theme: "light" });
  const out = {};
  await page.goto(`${base}requests`);
  await settled(page);
  await page.getByRole("button", { name: "Follow live" }).click();
  await page.waitForSelector("[aria-label='Live requests'] .table-row");
  await page.waitForFunction(() => document.querySelector("section[aria-label='Requests as they are answered'] .note")?.textContent?.includes("come to its end"));
  out.address = page.url();
  out.note = await page.locator("section[aria-label='Requests as they are answered'] .panel-head .note").innerText();
  out.first = await page.locator("[aria-label='Live requests'] .table-row").first().innerText();
  if (folder) await page.screenshot({ path: `${folder}/requests-live.png` });
  await page.getByRole("button", { name: "Stop following" }).click();
  await page.waitForSelector("[aria-label='Live requests']", { state: "detached" });

  await page.goto(`${base}explore?lang=promql`);
  await settled(page);
  const box = page.getByRole("textbox", { name: "PromQL" });
  await box.fill("");
  await box.pressSequentially("application_map__request__1m");
  await page.waitForSelector(".suggestions");
  out.suggested = await page.locator(".suggestions li").first().innerText();
  await page.keyboard.press("Tab");
  out.completed = await box.inputValue();
  await page.keyboard.press("Control+Enter");
  await page.waitForSelector("section[aria-label=Answer] .table-row");
  await page.getByRole("button", { name: "Copy as curl" }).click();
  out.curl = await page.evaluate(() => navigator.clipboard.readText());
  wrong.length = 0;
  await box.fill("sum(");
  await page.keyboard.press("Control+Enter");
  await page.waitForSelector(".problem");
  out.refusal = await page.locator(".problem").first().innerText();
  wrong.length = 0; // a refusal is an answer with status 400, which the browser writes down

  await page.goto(`${base}map`);
  await settled(page);
  out.whole = await page.locator(".edge").count();
  const slider = page.getByRole("slider", { name: "Part of the time shown" });
  await slider.focus();
  await page.keyboard.press("ArrowRight");
  await settled(page);
  out.slice = new URL(page.url()).searchParams.get("at");
  await page.locator("section[aria-label='Service map']").getByRole("button", { name: "Copy as" }).click();
  await page.getByRole("menuitem", { name: "PromQL" }).click();
  out.promql = await page.evaluate(() => navigator.clipboard.readText());

  await page.goto(`${base}health`);
  await settled(page);
  await page.locator("section[aria-label=Doctor]").getByRole("checkbox").check();
  out.doctor = await page.locator("section[aria-label=Doctor]").innerText();
  out.wrong = wrong;
  return out;
}

/** Names with markup in them are shown as they are, and nothing of them runs. */
async function hostile() {
  const out = [];
  for (const [name, path] of Object.entries(SCREENS)) {
    const { page, wrong, close } = await open(browser, base, { width: 1440, height: 900, theme: "light" });
    page.on("dialog", (dialog) => (wrong.push(`dialog: ${dialog.message()}`), dialog.dismiss()));
    await page.goto(base + path);
    await settled(page);
    if (name === "map") {
      await page.locator(".node").last().focus();
      await page.keyboard.press("Enter");
      await page.waitForSelector(".side");
    }
    if (name === "requests") {
      await page.getByRole("grid", { name: "Requests" }).focus();
      await page.keyboard.press("ArrowDown");
      await page.keyboard.press("Enter");
      await page.waitForSelector(".side .facts");
    }
    if (folder) await page.screenshot({ path: `${folder}/hostile-${name}.png` });
    out.push({
      name,
      text: await page.locator("main").textContent(),
      ran: await page.evaluate(() => window.pwned ?? null),
      images: await page.locator("main img, main script, main iframe, main b:has(img)").count(),
      wrong: [...wrong],
    });
    await close();
  }
  return out;
}
