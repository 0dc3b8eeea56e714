/** What a person without a mouse, or without sight, meets on a page: names, roles, contrast, and where Tab leads. */

/** Sentences about what is wrong with the page as it stands. Runs in the page. */
export function faults() {
  const found = [];
  const isSeen = (element) => {
    const box = element.getBoundingClientRect();
    const style = getComputedStyle(element);
    return box.width > 0 && box.height > 0 && style.visibility !== "hidden" && style.display !== "none" && !element.closest("[aria-hidden=true]");
  };
  const said = (element) => `<${element.tagName.toLowerCase()} class="${element.getAttribute("class") ?? ""}"> ${(element.textContent ?? "").trim().slice(0, 40)}`;
  const named = (element) => {
    const by = (element.getAttribute("aria-labelledby") ?? "").split(" ").map((id) => document.getElementById(id)?.textContent ?? "").join("");
    const label = [...(element.labels ?? [])].map((each) => each.textContent).join("");
    return [element.getAttribute("aria-label"), by, label, element.getAttribute("title"), element.tagName === "INPUT" || element.tagName === "SELECT" ? "" : element.textContent].some((text) => (text ?? "").trim() !== "");
  };
  const all = [...document.querySelectorAll("body *")].filter(isSeen);
  for (const element of all.filter((each) => each.matches("a[href], button, input, select, textarea, summary, [tabindex='0'], [role=button], [role=menuitem]"))) {
    if (!named(element)) found.push(`has no name: ${said(element)}`);
  }
  for (const element of all.filter((each) => each.matches("img, canvas, svg"))) {
    const isNamed = element.hasAttribute("alt") || element.hasAttribute("aria-label") || element.closest("[role=img][aria-label], [role=group][aria-label], [role=button]");
    if (!isNamed) found.push(`a picture without words: ${said(element.parentElement)}`);
  }
  for (const name of ["aria-activedescendant", "aria-controls", "aria-labelledby", "aria-describedby"]) {
    for (const element of document.querySelectorAll(`[${name}]`)) {
      for (const id of element.getAttribute(name).split(" ")) if (!document.getElementById(id)) found.push(`${name} names nothing: ${said(element)}`);
    }
  }
  const ids = [...document.querySelectorAll("[id]")].map((each) => each.id);
  for (const id of new Set(ids.filter((each, at) => ids.indexOf(each) !== at))) found.push(`the id ${id} stands twice`);
  const inside = { row: "table, [role=table], [role=grid], [role=rowgroup]", gridcell: "[role=row]", cell: "[role=row]", columnheader: "[role=row]", menuitem: "[role=menu]", treeitem: "[role=tree], [role=group]", option: "[role=listbox]", tab: "[role=tablist]" };
  for (const [role, holder] of Object.entries(inside)) {
    for (const element of document.querySelectorAll(`[role=${role}]`)) if (!element.parentElement.closest(holder)) found.push(`a ${role} stands alone: ${said(element)}`);
  }
  if (!document.documentElement.lang) found.push("the page does not say its language");
  if (document.querySelectorAll("main").length !== 1) found.push("there is not one main part");
  let level = 1;
  for (const heading of all.filter((each) => /^H[1-6]$/.test(each.tagName))) {
    const next = Number(heading.tagName[1]);
    if (next > level + 1) found.push(`a heading skips a level: ${said(heading)}`);
    level = next;
  }

  // contrast of text, WCAG 2.1 1.4.3; through everything that is painted behind it
  const parts = (text) => (text.match(/[\d.]+/g) ?? []).map(Number);
  const over = ([r, g, b, a = 1], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a)];
  const light = (colour) => {
    const [r, g, b] = colour.map((part) => (part / 255 <= 0.03928 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    const chain = [];
    for (let at = element; at; at = at.parentElement) chain.unshift(getComputedStyle(at).backgroundColor);
    return chain.filter((text) => text.startsWith("rgb")).reduce((under, text) => over(parts(text), under), [255, 255, 255]);
  };
  const seen = new Set();
  for (const element of all) {
    const hasText = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim() !== "");
    if (!hasText || element.closest("svg, canvas, :disabled, .offscreen, .faded")) continue;
    const style = getComputedStyle(element);
    const under = behind(element);
    const [one, other] = [light(over(parts(style.color), under)), light(under)].sort((a, b) => b - a);
    const ratio = (one + 0.05) / (other + 0.05);
    const isLarge = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.6 && Number(style.fontWeight) >= 700);
    const kind = `${style.color} on rgb(${under.map(Math.round).join(", ")})`;
    if (ratio >= (isLarge ? 3 : 4.5) || seen.has(kind)) continue;
    seen.add(kind);
    found.push(`contrast ${ratio.toFixed(2)}: ${kind}: ${said(element)}`);
  }
  return found;
}

/** Where Tab leads, until it comes round: how many places there are, those it never came to, those whose focus cannot be seen. */
export async function walk(page, most = 200) {
  await page.evaluate(() => {
    const isSeen = (element) => element.getClientRects().length > 0 && !element.closest("details:not([open]) > :not(summary)");
    const places = [...document.querySelectorAll("a[href], button:not(:disabled), input:not(:disabled), select, textarea, summary, [tabindex='0']")].filter(isSeen);
    window.places = new Set(places);
    document.activeElement?.blur();
    window.scrollTo(0, 0);
  });
  const count = await page.evaluate(() => window.places.size);
  const unseen = [];
  for (let step = 0; step < Math.min(most, count + 5); step += 1) {
    await page.keyboard.press("Tab");
    const told = await page.evaluate(() => {
      const element = document.activeElement;
      if (!element || element === document.body) return null;
      window.places.delete(element);
      const painted = [element, ...element.children].some((each) => {
        const style = getComputedStyle(each);
        return (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== "none" || (each.ownerSVGElement && parseFloat(style.strokeWidth) >= 2);
      });
      return painted ? "" : `${element.tagName} ${element.getAttribute("class") ?? ""} ${(element.getAttribute("aria-label") ?? element.textContent ?? "").slice(0, 40)}`;
    });
    if (told) unseen.push(told);
  }
  const missed = count > most ? [] : await page.evaluate(() => [...window.places].filter((each) => each.isConnected).map((each) => `${each.tagName} ${each.getAttribute("class") ?? ""} ${(each.getAttribute("aria-label") ?? each.textContent ?? "").slice(0, 40)}`));
  return { count, missed, unseen };
}
