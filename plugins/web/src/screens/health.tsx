/** How MetaFlow itself does: components, what was dropped and why, plugins, the store. */

import { useMemo } from "preact/hooks";
import type { Component, Counter } from "../data/status";
import { count, span } from "../format";
import { useApp } from "../state/app";
import { setParams, usePlace } from "../state/location";
import { Panel } from "../ui/panel";
import { Stages } from "../ui/stages";
import { type Field, VirtualTable } from "../ui/table";
import { Doctor } from "./doctor";

const TONES: Record<string, string> = { running: "good", starting: "calm", built: "calm", stopped: "calm", degraded: "warn", quarantined: "bad", failed: "bad" };

/** Counters that tell of something lost or given up, worst first. */
export function lossesOf(counters: Counter[]): Counter[] {
  const isLoss = (counter: Counter) => /dropped|faults|refused|retries|untagged/.test(counter.stage) || (counter.stage === "frames" && counter.unit === "errors");
  return counters.filter((counter) => counter.value > 0 && isLoss(counter)).sort((a, b) => b.value - a.value);
}

const COUNTERS: Field<Counter>[] = [
  { key: "component", title: "Component", width: "minmax(140px, 1.4fr)", cell: (c) => c.component, whole: (c) => c.component },
  { key: "stage", title: "Stage", width: "minmax(80px, .8fr)", cell: (c) => c.stage },
  { key: "reason", title: "Reason", width: "minmax(140px, 2.4fr)", cell: (c) => c.reason || "–", whole: (c) => c.reason },
  { key: "value", title: "Value", width: "96px", right: true, cell: (c) => count(c.value), whole: (c) => String(c.value) },
  { key: "unit", title: "Unit", width: "96px", cell: (c) => c.unit },
];

export function Health() {
  const { pulse, ready } = useApp();
  const { params } = usePlace();
  const { components, counters, plugins, storages, version } = pulse.status;
  const wanted = (params["find"] ?? "").toLowerCase();
  const losses = useMemo(() => lossesOf(counters), [counters]);
  const shown = useMemo(
    () => counters.filter((c) => wanted === "" || `${c.component} ${c.stage} ${c.reason} ${c.unit}`.toLowerCase().includes(wanted)),
    [counters, wanted],
  );
  const ill = components.filter((component) => !["running", "stopped", "built", "starting"].includes(component.state));
  return (
    <>
      <Stages />
      {pulse.statusError && <p class="problem">{pulse.statusError}</p>}
      {pulse.storeError && <p class="problem">{pulse.storeError}</p>}
      {ill.map((component) => (
        <p class="problem" role="alert" key={`${component.kind} ${component.id}`}>
          {component.kind} {component.id} is {component.state}: {component.message || "it gave no reason"}
        </p>
      ))}
      <Panel title="Lost or given up" note="by stage and reason" loading={!ready} empty={losses.length === 0} emptyText="Nothing was dropped, and nothing failed.">
        <VirtualTable label="Lost or given up" fields={COUNTERS} rows={losses} rowKey={(c) => `${c.component} ${c.stage} ${c.reason} ${c.unit}`} height={320} />
      </Panel>
        <Panel title="Components" note={version ? `MetaFlow ${version}` : ""} loading={!ready} empty={components.length === 0} emptyText="This server tells nothing of its components.">
          <ul class="rows plain columns">
            {components.map((component) => (
              <ComponentLine key={`${component.kind} ${component.id} ${component.pipeline}`} component={component} />
            ))}
          </ul>
        </Panel>
      <div class="two">
        {storages.length > 0 && (
          <Panel title="Store">
            {storages.map(([name, facts]) => (
              <div key={name}>
                <h3>{name}</h3>
                <dl class="facts">
                  {facts.slice(0, 80).map(([key, value]) => (
                    <>
                      <dt key={key}>{key}</dt>
                      <dd class="mono">{/^\d+$/.test(value) ? count(Number(value)) : value}</dd>
                    </>
                  ))}
                </dl>
              </div>
            ))}
          </Panel>
        )}
        {plugins.length > 0 && (
          <Panel title="Plugins" note={`${plugins.length} found`}>
            <ul class="rows plain">
              {plugins.map((plugin) => (
                <li key={plugin.name}>
                  <span class="what">
                    <span class="line">
                      <b>{plugin.name}</b> <span class="note">{plugin.version}</span>
                    </span>
                    <span class="line note">{plugin.error || plugin.summary}</span>
                  </span>
                  <span class={`pill ${/loaded|running|ok/.test(plugin.state) ? "good" : plugin.state ? "bad" : "calm"}`}>{plugin.state || "–"}</span>
                </li>
              ))}
            </ul>
          </Panel>
        )}
      </div>
      <Doctor />
      <Panel
        title="Counters"
        class="tall"
        note={`${shown.length} of ${counters.length}; they only grow while MetaFlow runs`}
        loading={!ready}
        empty={shown.length === 0}
        emptyText={wanted ? "No counter has these words." : "This server sends no counters in /v1/status."}
        tools={<input type="search" placeholder="Find a counter" aria-label="Find a counter" value={params["find"] ?? ""} onInput={(event) => setParams({ find: event.currentTarget.value }, true)} />}
      >
        <VirtualTable label="Counters" fields={COUNTERS} rows={shown} rowKey={(c) => `${c.component} ${c.stage} ${c.reason} ${c.unit}`} height={520} />
      </Panel>
    </>
  );
}

function ComponentLine({ component }: { component: Component }) {
  const since = component.sinceS === null ? "" : `for ${span(Math.max(0, Date.now() / 1000 - component.sinceS))}`;
  return (
    <li>
      <span class="what">
        <span class="line">
          <span class="note">{component.kind}</span> <b>{component.id}</b> {component.pipeline && <span class="note">in {component.pipeline}</span>}
        </span>
        {component.message && <span class="line note">{component.message}</span>}
      </span>
      <span class="note">{component.restarts > 0 ? `${component.restarts} restarts, ${since}` : since}</span>
      <span class={`pill ${TONES[component.state] ?? "calm"}`}>{component.state}</span>
    </li>
  );
}
