/** "Copy as SQL, copy as curl": the question behind a panel, for a shell or a notebook. */

import { useState } from "preact/hooks";
import { curl, type Question } from "../data/queries";
import { QUERY_PATH } from "../api/client";
import { href } from "../state/location";
import { usePopup } from "./popup";

export function Copy({ questions }: { questions: (Question | null)[] }) {
  const { open, setOpen, box } = usePopup<HTMLDivElement>("[role=menuitem]");
  const [said, setSaid] = useState("");
  const asked = questions.filter((question): question is Question => question !== null);
  const first = asked[0];
  if (!first) return null;
  const take = async (text: string, what: string) => {
    setSaid((await copyText(text)) ? `Copied ${what}` : "The browser did not allow copying");
    window.setTimeout(() => setSaid(""), 2000);
    setOpen(false);
  };
  const address = new URL(QUERY_PATH, window.location.href).href;
  return (
    <div class="copy" ref={box}>
      <span class="copy-said" role="status">
        {said}
      </span>
      <button type="button" class="quiet" aria-haspopup="menu" aria-expanded={open} onClick={() => setOpen(!open)} title="Copy the question behind this">
        Copy as…
      </button>
      {open && (
        <div class="menu" role="menu" aria-label="Copy as" onKeyDown={walk}>
          <button type="button" role="menuitem" onClick={() => take(asked.map((q) => q.sql).join(";\n\n"), "SQL")}>
            SQL
          </button>
          {asked.some((q) => q.promql) && (
            <button type="button" role="menuitem" onClick={() => take(asked.flatMap((q) => q.promql ?? []).join("\n"), "PromQL")}>
              PromQL
            </button>
          )}
          <button type="button" role="menuitem" onClick={() => take(asked.map((q) => curl(q, address)).join("\n"), "curl")}>
            curl
          </button>
          <a role="menuitem" href={href("explore", { db: first.db, q: first.sql })}>
            Open in Explore
          </a>
        </div>
      )}
    </div>
  );
}

/** Arrows, Home and End walk through a menu; Tab leaves it. */
function walk(event: KeyboardEvent): void {
  const items = [...(event.currentTarget as Element).querySelectorAll<HTMLElement>("[role=menuitem]")];
  const at = items.indexOf(document.activeElement as HTMLElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1 + items.length, Home: 0, End: items.length - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  items[to % items.length]?.focus();
}

/** Copies by the clipboard's interface; on plain http beyond loopback there is only the old command. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const box = document.createElement("textarea");
    box.value = text;
    box.className = "offscreen";
    document.body.append(box);
    box.select();
    const done = document.execCommand("copy");
    box.remove();
    return done;
  }
}
