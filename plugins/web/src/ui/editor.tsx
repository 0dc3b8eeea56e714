/** A box for a question with completion: Tab or Enter takes a suggestion, Ctrl+Enter asks. */

import { useRef, useState } from "preact/hooks";
import { type Suggestion, wordAt } from "../data/complete";

interface Props {
  label: string;
  value: string;
  suggest: (text: string, caret: number) => Suggestion[];
  onInput: (text: string) => void;
  onRun: () => void;
}

export function Editor({ label, value, suggest, onInput, onRun }: Props) {
  const box = useRef<HTMLTextAreaElement>(null);
  const [found, setFound] = useState<Suggestion[]>([]);
  const [at, setAt] = useState(0);
  const look = () => {
    const element = box.current;
    if (!element) return;
    setFound(element.selectionStart === element.selectionEnd ? suggest(element.value, element.selectionStart) : []);
    setAt(0);
  };
  const take = (suggestion: Suggestion) => {
    const element = box.current;
    if (!element) return;
    const { start } = wordAt(element.value, element.selectionStart);
    element.setRangeText(suggestion.text, start, element.selectionStart, "end");
    onInput(element.value);
    setFound([]);
    element.focus();
  };
  const keys = (event: KeyboardEvent) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      setFound([]);
      onRun();
    } else if (found.length > 0 && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      setAt((at + (event.key === "ArrowDown" ? 1 : found.length - 1)) % found.length);
    } else if (found.length > 0 && (event.key === "Tab" || event.key === "Enter")) {
      const chosen = found[at];
      if (!chosen) return;
      event.preventDefault();
      take(chosen);
    } else if (event.key === "Escape") setFound([]);
  };
  return (
    <div class="editor">
      <textarea
        ref={box}
        value={value}
        rows={Math.min(14, Math.max(4, value.split("\n").length + 1))}
        spellcheck={false}
        autocapitalize="off"
        aria-label={label}
        aria-autocomplete="list"
        aria-expanded={found.length > 0}
        onInput={(event) => {
          onInput(event.currentTarget.value);
          look();
        }}
        onKeyDown={keys}
        onBlur={() => window.setTimeout(() => setFound([]), 150)}
      />
      {found.length > 0 && (
        <ul class="suggestions" role="listbox" aria-label="Suggestions">
          {found.map((suggestion, index) => (
            <li key={suggestion.text} role="option" aria-selected={index === at} class={index === at ? "on" : ""} onMouseDown={(event) => (event.preventDefault(), take(suggestion))}>
              <b class="mono">{suggestion.text}</b> <span class="note">{suggestion.what}</span>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
