/** The map as SVG: drag to move, wheel or + and - to zoom, Tab and Enter to pick. */

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { count, duration, percent, rate } from "../format";
import { protocolColor } from "../ui/bits";
import type { Edge, Graph, Node } from "./graph";
import { type Line, linesOf } from "./labels";
import { type Layout, layoutOf, NODE_HEIGHT, NODE_WIDTH, type Place } from "./layout";

interface Props {
  graph: Graph;
  lastingS: number;
  picked: string;
  onPick: (id: string) => void;
}

interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

const MOST_LABELS = 60;

export function MapView({ graph, lastingS, picked, onPick }: Props) {
  const svg = useRef<SVGSVGElement>(null);
  const shape = useMemo(() => JSON.stringify([graph.nodes.map((n) => n.id).sort(), graph.edges.map((e) => e.id).sort()]), [graph]);
  // counters change with every refresh, the shape seldom: places stay as long as nobody comes or goes
  const layout = useMemo(() => layoutOf(graph), [shape]);
  const lines = useMemo(() => linesOf(graph, layout), [layout]);
  const whole = useMemo(() => fit(layout, svg.current), [layout]);
  const [box, setBox] = useState<Box | null>(null);
  const shown = box ?? whole;
  useEffect(() => setBox(null), [shape]);
  useEffect(() => {
    const element = svg.current;
    if (!element) return;
    const again = new ResizeObserver(() => setBox((old) => old ?? null));
    again.observe(element);
    const wheel = (event: WheelEvent) => {
      event.preventDefault();
      const frame = element.getBoundingClientRect();
      setBox((old) => zoom(old ?? whole, event.deltaY > 0 ? 1.15 : 1 / 1.15, (event.clientX - frame.left) / frame.width, (event.clientY - frame.top) / frame.height));
    };
    element.addEventListener("wheel", wheel, { passive: false });
    return () => {
      again.disconnect();
      element.removeEventListener("wheel", wheel);
    };
  }, [whole]);

  const drag = useRef<{ x: number; y: number; box: Box } | null>(null);
  const busiestEdge = Math.max(1, ...graph.edges.map((edge) => edge.requests));
  const related = useMemo(() => neighbours(graph, picked), [graph, picked]);
  const keys = (event: KeyboardEvent) => {
    const moves: Record<string, [number, number]> = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] };
    const move = moves[event.key];
    if (move) setBox({ ...shown, x: shown.x + move[0] * shown.width, y: shown.y + move[1] * shown.height });
    else if (event.key === "+" || event.key === "=") setBox(zoom(shown, 1 / 1.2));
    else if (event.key === "-") setBox(zoom(shown, 1.2));
    else if (event.key === "0") setBox(null);
    else return;
    event.preventDefault();
  };

  return (
    <div class="map-box">
      <svg
        ref={svg}
        class="map"
        viewBox={`${shown.x} ${shown.y} ${shown.width} ${shown.height}`}
        preserveAspectRatio="xMidYMid meet"
        role="group"
        aria-label={`Service map: ${graph.nodes.length} nodes, ${graph.edges.length} edges`}
        onKeyDown={keys}
        onPointerDown={(event) => {
          if ((event.target as Element).closest(".node, .edge")) return;
          event.currentTarget.setPointerCapture(event.pointerId);
          drag.current = { x: event.clientX, y: event.clientY, box: shown };
        }}
        onPointerMove={(event) => {
          const start = drag.current;
          if (!start) return;
          const scale = start.box.width / event.currentTarget.clientWidth;
          setBox({ ...start.box, x: start.box.x - (event.clientX - start.x) * scale, y: start.box.y - (event.clientY - start.y) * scale });
        }}
        onPointerUp={() => (drag.current = null)}
      >
        <defs>
          {["calm", "bad"].map((tone) => (
            <marker key={tone} id={`arrow-${tone}`} viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" markerUnits="userSpaceOnUse" orient="auto">
              <path d="M0 0 8 4 0 8Z" class={`arrow ${tone}`} />
            </marker>
          ))}
        </defs>
        {graph.edges.map((edge) => (
          <EdgeLine
            key={edge.id}
            edge={edge}
            line={lines.get(edge.id)}
            thick={1.2 + 3.8 * Math.sqrt(edge.requests / busiestEdge)}
            labelled={graph.edges.length <= MOST_LABELS || related.has(edge.id)}
            faded={picked !== "" && !related.has(edge.id)}
            picked={picked === edge.id}
            lastingS={lastingS}
            onPick={onPick}
          />
        ))}
        {graph.nodes.map((node) => (
          <NodeBox key={node.id} node={node} at={layout.places.get(node.id)} faded={picked !== "" && !related.has(node.id)} picked={picked === node.id} lastingS={lastingS} onPick={onPick} />
        ))}
      </svg>
      <div class="map-tools">
        <button type="button" onClick={() => setBox(zoom(shown, 1 / 1.3))} aria-label="Nearer">
          +
        </button>
        <button type="button" onClick={() => setBox(zoom(shown, 1.3))} aria-label="Farther">
          −
        </button>
        <button type="button" onClick={() => setBox(null)}>
          All
        </button>
      </div>
    </div>
  );
}

/** Everything, but never larger than life: two nodes do not fill a screen. */
function fit(layout: Layout, svg: SVGSVGElement | null): Box {
  const width = Math.max(layout.width, svg?.clientWidth ?? Math.min(900, window.innerWidth - 60));
  const height = Math.max(layout.height, Math.min(svg?.clientHeight ?? 500, 560));
  return { x: (layout.width - width) / 2, y: (layout.height - height) / 2, width, height };
}

function zoom(box: Box, by: number, atX = 0.5, atY = 0.5): Box {
  const width = Math.min(40_000, Math.max(200, box.width * by));
  const height = (box.height * width) / box.width;
  return { x: box.x + (box.width - width) * atX, y: box.y + (box.height - height) * atY, width, height };
}

function neighbours(graph: Graph, picked: string): Set<string> {
  const found = new Set<string>([picked]);
  for (const edge of graph.edges) {
    if (edge.id === picked || edge.from === picked || edge.to === picked) {
      found.add(edge.id).add(edge.from).add(edge.to);
    }
  }
  return found;
}

function activate(event: KeyboardEvent, act: () => void): void {
  if (event.key !== "Enter" && event.key !== " ") return;
  event.preventDefault();
  event.stopPropagation();
  act();
}

interface NodeProps {
  node: Node;
  at: Place | undefined;
  faded: boolean;
  picked: boolean;
  lastingS: number;
  onPick: (id: string) => void;
}

function NodeBox({ node, at, faded, picked, lastingS, onPick }: NodeProps) {
  if (!at) return null;
  const share = node.requests > 0 ? node.failed / node.requests : 0;
  const tone = share >= 0.05 ? "bad" : share > 0 ? "warn" : "calm";
  const says = node.isSource ? "only calls" : `${rate(node.requests / lastingS)} · ${percent(share)} failed`;
  return (
    <g
      class={`node ${tone} ${faded ? "faded" : ""} ${picked ? "picked" : ""}`}
      transform={`translate(${at.x} ${at.y})`}
      tabindex={0}
      role="button"
      aria-label={`${node.label}: ${says}`}
      aria-pressed={picked}
      onClick={() => onPick(picked ? "" : node.id)}
      onKeyDown={(event) => activate(event, () => onPick(picked ? "" : node.id))}
    >
      <title>{`${node.label}\n${count(node.requests)} requests, ${percent(share)} failed\n${node.protocols.join(", ")}`}</title>
      <rect width={NODE_WIDTH} height={NODE_HEIGHT} rx="9" />
      <rect class="node-side" width="5" height={NODE_HEIGHT - 16} x="0" y="8" rx="2.5" style={{ fill: node.protocols[0] ? `var(${protocolColor(node.protocols[0])})` : "var(--muted)" }} />
      <text x="16" y="19" class="node-name">
        {cut(node.label, 23)}
      </text>
      <text x="16" y="35" class="node-says">
        {cut(node.isSource ? says : `${node.protocols.join(", ")} · ${rate(node.requests / lastingS)}`, 27)}
      </text>
      {share > 0 && <circle class="node-mark" cx={NODE_WIDTH - 14} cy="14" r="5" />}
    </g>
  );
}

interface EdgeProps {
  edge: Edge;
  line: Line | undefined;
  thick: number;
  labelled: boolean;
  faded: boolean;
  picked: boolean;
  lastingS: number;
  onPick: (id: string) => void;
}

function EdgeLine({ edge, line, thick, labelled, faded, picked, lastingS, onPick }: EdgeProps) {
  if (!line) return null;
  const share = edge.requests > 0 ? edge.failed / edge.requests : 0;
  const { path } = line.curve;
  const says = `${rate(edge.requests / lastingS)} · ${duration(edge.delay)}`;
  return (
    <g
      class={`edge ${share >= 0.05 ? "bad" : "calm"} ${faded ? "faded" : ""} ${picked ? "picked" : ""}`}
      tabindex={0}
      role="button"
      aria-label={`${edge.from} calls ${edge.to} by ${edge.protocol}: ${says}, ${percent(share)} failed`}
      onClick={() => onPick(picked ? "" : edge.id)}
      onKeyDown={(event) => activate(event, () => onPick(picked ? "" : edge.id))}
    >
      <title>{`${edge.from} → ${edge.to}\n${edge.protocol}: ${count(edge.requests)} requests, ${says}, slowest ${duration(edge.slowest)}, ${percent(share)} failed`}</title>
      <path d={path} class="edge-touch" />
      <path d={path} class="edge-line" style={{ strokeWidth: `${thick}px`, stroke: share >= 0.05 ? "var(--bad)" : `var(${protocolColor(edge.protocol)})` }} marker-end={`url(#arrow-${share >= 0.05 ? "bad" : "calm"})`} />
      {labelled && (
        <g transform={`translate(${line.label.x} ${line.label.y})`} class="edge-label">
          <text y="-3">{says}</text>
          <text y="10" class="edge-more">
            {share > 0 ? `${edge.protocol} · ${percent(share)} failed` : edge.protocol}
          </text>
        </g>
      )}
    </g>
  );
}

function cut(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}
