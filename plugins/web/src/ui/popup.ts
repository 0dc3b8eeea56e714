/** What opens below a button: takes the focus, and closes by Escape or a press anywhere else. */

import type { RefObject } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

export interface Popup<Box extends HTMLElement> {
  open: boolean;
  setOpen: (open: boolean) => void;
  /** Of the element that holds the button, first, and what opens. */
  box: RefObject<Box>;
}

/** @param first what takes the focus when it opens, as a selector. Escape gives the focus back to the button. */
export function usePopup<Box extends HTMLElement>(first: string): Popup<Box> {
  const [open, setOpen] = useState(false);
  const box = useRef<Box>(null);
  useEffect(() => {
    if (!open) return;
    box.current?.querySelector<HTMLElement>(first)?.focus();
    const close = (event: Event) => {
      const isKey = event instanceof KeyboardEvent;
      if (isKey ? event.key !== "Escape" : box.current?.contains(event.target as Node)) return;
      setOpen(false);
      if (isKey) box.current?.querySelector("button")?.focus();
    };
    document.addEventListener("mousedown", close);
    document.addEventListener("keydown", close);
    return () => {
      document.removeEventListener("mousedown", close);
      document.removeEventListener("keydown", close);
    };
  }, [open]);
  return { open, setOpen, box };
}
