/** The overview's list of what is different from the time before. */

import { changesOf } from "../data/changes";
import { requestsOf } from "../data/links";
import * as queries from "../data/queries";
import { readServices, type Service } from "../data/services";
import { span } from "../format";
import { useApp } from "../state/app";
import { useTable } from "../state/live";
import { before } from "../state/range";
import { Protocol } from "./bits";
import { Panel } from "./panel";

const MOST = 10;

export function Changes({ services }: { services: Service[] | null }) {
  const { range, tick } = useApp();
  const asked = queries.services(before(range));
  const answer = useTable(asked, tick, "services before");
  const lasting = range.to - range.from;
  const known = answer.data ? readServices(answer.data) : [];
  const changes = services && known.length ? changesOf(known, services, lasting, lasting) : [];
  const nothing = known.length
    ? `Nothing that chance would not explain, against the ${span(lasting)} before.`
    : `Nothing was recorded in the ${span(lasting)} before: there is nothing to compare with. A shorter time may have something.`;
  return (
    <Panel
      title="What changed"
      note={`against the ${span(lasting)} before`}
      questions={[asked]}
      error={answer.error}
      loading={answer.loading || services === null}
      empty={changes.length === 0}
      emptyText={nothing}
    >
      <ul class="rows">
        {changes.slice(0, MOST).map(({ service, kind, said, tone }) => (
          <li key={`${kind} ${service.key}`}>
            <a href={requestsOf({ auto_service_1: service.address, server_port: service.port, l7_protocol: service.protocol })}>
              <b class={`times ${tone ? `${tone}-text` : ""}`}>{kind}</b>
              <span class="what">
                <span class="line">
                  <Protocol name={service.protocol} /> {service.name}
                </span>
                <span class="line note">{said}</span>
              </span>
            </a>
          </li>
        ))}
      </ul>
      {changes.length > MOST && <p class="note">{changes.length - MOST} smaller ones are left out.</p>}
    </Panel>
  );
}
