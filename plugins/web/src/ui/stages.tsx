/** The way of the data: how much passed each stage, what was lost, and which stage is the first at zero. */

import { stageAtZero, stagesOf } from "../data/status";
import { count } from "../format";
import { useApp } from "../state/app";

export function Stages() {
  const { pulse, ready } = useApp();
  if (!ready) return <p class="waiting">Asking the server…</p>;
  const stages = stagesOf(pulse.status.counters, pulse.requestRows, pulse.flowRows);
  const zero = pulse.statusError || pulse.storeError ? null : stageAtZero(stages);
  return (
    <section class="stages-box" aria-label="From capture to store">
      <ol class="stages">
        {stages.map((stage) => (
          <li key={stage.name} class={stage.value === 0 ? "at-zero" : ""}>
            <span class="note">{stage.name}</span>
            <b>{count(stage.value)}</b> <span class="note">{stage.unit}</span>
            {stage.lost > 0 && <span class="warn-text"> {count(stage.lost)} dropped</span>}
          </li>
        ))}
      </ol>
      {zero && (
        <p class="note" role="status">
          {zero.remedy} <a href="./health">Health</a> tells more.
        </p>
      )}
      {pulse.statusError && <p class="note">{pulse.statusError}</p>}
    </section>
  );
}
