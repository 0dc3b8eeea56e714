/** Light or dark: the system's choice until the reader makes one, which this browser then keeps. */

export type Theme = "light" | "dark";

const KEY = "metaflow.theme";

function kept(): Theme | null {
  try {
    const value = window.localStorage.getItem(KEY);
    return value === "light" || value === "dark" ? value : null;
  } catch {
    return null; // storage may be forbidden; then nothing is kept
  }
}

export function currentTheme(): Theme {
  return kept() ?? (window.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
}

export function applyTheme(): void {
  const choice = kept();
  if (choice) document.documentElement.dataset["theme"] = choice;
  else delete document.documentElement.dataset["theme"];
}

export function toggleTheme(): Theme {
  const next: Theme = currentTheme() === "dark" ? "light" : "dark";
  try {
    window.localStorage.setItem(KEY, next);
  } catch {
    // for this page only, then
  }
  document.documentElement.dataset["theme"] = next;
  window.dispatchEvent(new Event("themechange"));
  return next;
}
