/** The box in which a question is written, whatever its language: the editor, the button and ready-made questions. */

import type { ComponentProps } from "preact";
import { Editor } from "./editor";

/** A title and the question behind it. */
export type Example = [title: string, question: string];

interface Props extends ComponentProps<typeof Editor> {
  examples: Example[];
}

export function AskBox({ examples, ...editor }: Props) {
  const take = (select: HTMLSelectElement) => {
    const example = examples.find(([title]) => title === select.value);
    if (example) editor.onInput(example[1]);
    // it is a menu, not a choice that stays
    select.value = "";
  };
  return (
    <>
      <Editor {...editor} />
      <div class="editor-tools">
        <button type="button" class="button" onClick={editor.onRun}>
          Ask
        </button>
        <select aria-label="Examples" value="" onChange={(event) => take(event.currentTarget)}>
          <option value="">Examples…</option>
          {examples.map(([title]) => (
            <option key={title} value={title}>
              {title}
            </option>
          ))}
        </select>
      </div>
    </>
  );
}
