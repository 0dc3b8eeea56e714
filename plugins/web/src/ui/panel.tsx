/** A titled part of a screen: its content, its question, its mistake, or the reason for having nothing. */

import type { ComponentChildren } from "preact";
import { stageAtZero, stagesOf } from "../data/status";
import type { Question } from "../data/queries";
import { span } from "../format";
import { useApp } from "../state/app";
import { Copy } from "./copy";

interface Props {
  title: string;
  note?: string;
  /** Asked by this panel; offered to copy. */
  questions?: (Question | null)[];
  error?: string;
  loading?: boolean;
  /** There is an answer and nothing in it. */
  empty?: boolean;
  /** Said when the range and not the pipeline is the reason. */
  emptyText?: string;
  tools?: ComponentChildren;
  class?: string;
  children?: ComponentChildren;
}

export function Panel(props: Props) {
  const { title, note, questions = [], error = "", loading = false, empty = false } = props;
  return (
    <section class={`panel ${props.class ?? ""}`} aria-label={title}>
      <header class="panel-head">
        <h2>{title}</h2>
        {note && <span class="note">{note}</span>}
        <span class="grow" />
        {props.tools}
        <Copy questions={questions} />
      </header>
      {error && (
        <p class="problem" role="alert">
          {error}
        </p>
      )}
      {loading && !error ? <p class="waiting">Asking…</p> : empty && !error ? <WhyEmpty text={props.emptyText} /> : props.children}
    </section>
  );
}

/** Names the first stage at zero; when every stage has something, the range or the filters leave nothing. */
export function WhyEmpty({ text }: { text?: string | undefined }) {
  const { pulse, range, ready } = useApp();
  if (!ready) return <p class="waiting">Asking the server…</p>;
  const stages = stagesOf(pulse.status.counters, pulse.requestRows, pulse.flowRows);
  const zero = pulse.storeError || pulse.statusError ? null : stageAtZero(stages);
  return (
    <div class="empty">
      <p>{zero && pulse.requestRows === 0 ? zero.remedy : (text ?? `Nothing in the ${span(range.to - range.from)} shown.`)}</p>
      {zero && pulse.requestRows === 0 && (
        <p class="note">
          {stages.map((stage) => `${stage.name} ${stage.value}`).join(" → ")} · <a href="./health">Health</a>
        </p>
      )}
    </div>
  );
}
