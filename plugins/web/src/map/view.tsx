/** The map as SVG: drag to move, wheel or + and - to zoom, Tab and Enter to pick. */

import { Component } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { count, duration, percent, rate } from "../format";
import { protocolColor } from "../ui/bits";
import { beginsHere, type Edge, type Graph, type Node } from "./graph";
import { type Line, linesOf } from "./labels";
import { type Layout, layoutOf, NODE_HEIGHT, NODE_WIDTH, type Place, type Room } from "./layout";

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
  const [room, setRoom] = useState<Room>(() => ({ width: Math.max(300, window.innerWidth - 60), height: Math.max(380, window.innerHeight - 250) }));
  // counters change with every refresh, the shape seldom: places stay as long as nobody comes or goes
  const layout = useMemo(() => layoutOf(graph, room), [shape, room]);
  const lines = useMemo(() => linesOf(graph, layout), [layout]);
  const whole = useMemo(() => fit(layout, room), [layout]);
  const [box, setBox] = useState<Box | null>(null);
  const shown = box ?? whole;
  useEffect(() => setBox(null), [shape]);
  // while it moves the picture is moved as a whole, which costs nothing however much is in it; drawn anew it is when it rests
  const now = useRef(shown);
  now.current = shown;
  const pending = useRef<Box | null>(null);
  const rest = useRef(0);
  const preview = (next: Box) => {
    const element = svg.current;
    if (!element) return;
    pending.current = next;
    const { clientWidth: width, clientHeight: height } = element;
    const unit = (box: Box) => Math.min(width / box.width, height / box.height);
    const by = unit(next) / unit(now.current);
    const shift = (room: number, long: number, from: number, to: number) => ((room - long * unit(now.current)) / 2) * (1 - by) + (from - to) * unit(next);
    const [x, y] = [shift(width, now.current.width, now.current.x, next.x), shift(height, now.current.height, now.current.y, next.y)];
    element.style.willChange = "transform";
    element.style.transform = `translate(${x}px, ${y}px) scale(${by})`;
  };
  const commit = () => {
    if (pending.current) setBox(pending.current);
    pending.current = null;
    if (svg.current) svg.current.style.transform = svg.current.style.willChange = "";
  };
  useEffect(() => {
    const element = svg.current;
    if (!element) return;
    const again = new ResizeObserver(() => setRoom((old) => roomOf(element, old)));
    again.observe(element);
    const wheel = (event: WheelEvent) => {
      event.preventDefault();
      const frame = (element.parentElement ?? element).getBoundingClientRect();
      preview(zoom(pending.current ?? now.current, event.deltaY > 0 ? 1.15 : 1 / 1.15, (event.clientX - frame.left) / frame.width, (event.clientY - frame.top) / frame.height));
      window.clearTimeout(rest.current);
      rest.current = window.setTimeout(commit, 160);
    };
    element.addEventListener("wheel", wheel, { passive: false });
    return () => {
      again.disconnect();
      window.clearTimeout(rest.current);
      element.removeEventListener("wheel", wheel);
    };
  }, []);

  const drag = useRef<{ x: number; y: number; box: Box } | null>(null);
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
          commit();
          drag.current = { x: event.clientX, y: event.clientY, box: shown };
        }}
        onPointerMove={(event) => {
          const start = drag.current;
          if (!start) return;
          const scale = 1 / Math.min(event.currentTarget.clientWidth / start.box.width, event.currentTarget.clientHeight / start.box.height);
          preview({ ...start.box, x: start.box.x - (event.clientX - start.x) * scale, y: start.box.y - (event.clientY - start.y) * scale });
        }}
        onPointerUp={() => {
          drag.current = null;
          commit();
        }}
      >
        <defs>
          {["calm", "bad"].map((tone) => (
            <marker key={tone} id={`arrow-${tone}`} viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" markerUnits="userSpaceOnUse" orient="auto">
              <path d="M0 0 8 4 0 8Z" class={`arrow ${tone}`} />
            </marker>
          ))}
        </defs>
        <Drawing graph={graph} layout={layout} lines={lines} picked={picked} lastingS={lastingS} onPick={onPick} />
      </svg>
      <p class="map-legend note" aria-hidden="true">
        <i class="key line" /> thicker: more requests <i class="key box" /> some fail, red from 5 % <i class="key box begins" /> it begins here: nothing it calls explains it
        {graph.edges.some((edge) => edge.tls > 0) && (
          <>
            {" "}
            <svg width="9" height="10" viewBox="-.5 -.5 9 10">
              <path class="lock" d="M0 3.5h8v5.5h-8zM1.8 3.5v-1.4a2.2 2.2 0 0 1 4.4 0v1.4" />
            </svg>{" "}
            encrypted
          </>
        )}
      </p>
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

interface DrawingProps extends Props {
  layout: Layout;
  lines: Map<string, Line>;
}

/**
 * Moving and zooming change the window on it only: thousands of shapes are not compared at each step of the mouse. (A memo of its element
 * would keep the whole tree in which it was first used, and that one the one before: 50 kB at each refresh.)
 */
class Drawing extends Component<DrawingProps> {
  override shouldComponentUpdate(next: DrawingProps): boolean {
    return (["graph", "layout", "lines", "picked", "lastingS"] as const).some((name) => next[name] !== this.props[name]);
  }

  override render(props: DrawingProps) {
    return <Shapes {...props} />;
  }
}

/** Lines, then boxes, then what is written at the lines: no line crosses a text. */
function Shapes({ graph, layout, lines, picked, lastingS, onPick }: DrawingProps) {
  const related = useMemo(() => neighbours(graph, picked), [graph, picked]);
  const most = graph.edges.reduce((found, edge) => Math.max(found, edge.requests), 1);
  const few = graph.edges.length <= MOST_LABELS;
  return (
    <>
      {graph.edges.map((edge) => (
        <EdgeLine key={edge.id} edge={edge} line={lines.get(edge.id)} thick={1.2 + 3.8 * Math.sqrt(edge.requests / most)} faded={picked !== "" && !related.has(edge.id)} picked={picked === edge.id} lastingS={lastingS} onPick={onPick} />
      ))}
      {graph.nodes.map((node) => (
        <NodeBox key={node.id} node={node} at={layout.places.get(node.id)} faded={picked !== "" && !related.has(node.id)} picked={picked === node.id} lastingS={lastingS} onPick={onPick} />
      ))}
      {graph.edges.map((edge) => (few || related.has(edge.id)) && <EdgeLabel key={edge.id} edge={edge} line={lines.get(edge.id)} faded={picked !== "" && !related.has(edge.id)} lastingS={lastingS} />)}
    </>
  );
}

/** The room of the picture, in steps: a scroll bar that comes or goes moves nothing. */
function roomOf(element: Element, old: Room): Room {
  const next = { width: Math.max(300, Math.round(element.clientWidth / 40) * 40), height: Math.max(300, Math.round(element.clientHeight / 40) * 40) };
  return next.width === old.width && next.height === old.height ? old : next;
}

/** Everything, but never larger than life: two nodes do not fill a screen. */
function fit(layout: Layout, room: Room): Box {
  const width = Math.max(layout.width, room.width);
  const height = Math.max(layout.height, room.height);
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
  const begins = beginsHere(node);
  const says = node.isSource ? "only calls" : `${rate(node.requests / lastingS)} · ${percent(share)} failed`;
  return (
    <g
      class={`node ${tone} ${begins ? "begins" : ""} ${faded ? "faded" : ""} ${picked ? "picked" : ""}`}
      transform={`translate(${at.x} ${at.y})`}
      tabindex={0}
      role="button"
      aria-label={`${node.label}: ${says}${begins ? ", failures begin here" : ""}`}
      aria-pressed={picked}
      onClick={() => onPick(picked ? "" : node.id)}
      onKeyDown={(event) => activate(event, () => onPick(picked ? "" : node.id))}
    >
      <title>{`${node.label}\n${count(node.requests)} requests, ${percent(share)} failed${begins ? "; nothing that it calls explains them" : ""}\n${node.protocols.join(", ")}`}</title>
      <rect width={NODE_WIDTH} height={NODE_HEIGHT} rx="9" />
      <rect class="node-side" width="5" height={NODE_HEIGHT - 16} x="0" y="8" rx="2.5" style={{ fill: node.protocols[0] ? `var(${protocolColor(node.protocols[0])})` : "var(--muted)" }} />
      <text x="16" y="19" class="node-name">
        {cut(node.label, 23)}
      </text>
      <text x="16" y="35" class="node-says">
        {cut(node.isSource ? says : `${rate(node.requests / lastingS)} · ${node.protocols.join(", ")}`, share > 0 ? 19 : 27)}
      </text>
      {share > 0 && (
        <text x={NODE_WIDTH - 10} y="35" class="node-share">
          {percent(share)}
        </text>
      )}
    </g>
  );
}

interface EdgeProps {
  edge: Edge;
  line: Line | undefined;
  thick: number;
  faded: boolean;
  picked: boolean;
  lastingS: number;
  onPick: (id: string) => void;
}

function EdgeLine({ edge, line, thick, faded, picked, lastingS, onPick }: EdgeProps) {
  if (!line) return null;
  const share = edge.requests > 0 ? edge.failed / edge.requests : 0;
  const { path } = line.curve;
  const says = `${rate(edge.requests / lastingS)} · ${duration(edge.delay)}`;
  return (
    <g
      class={`edge ${share >= 0.05 ? "bad" : "calm"} ${faded ? "faded" : ""} ${picked ? "picked" : ""}`}
      tabindex={0}
      role="button"
      aria-label={`${edge.from} calls ${edge.to} by ${edge.protocol}: ${says}, ${percent(share)} failed${edge.tls > 0 ? ", encrypted" : ""}`}
      onClick={() => onPick(picked ? "" : edge.id)}
      onKeyDown={(event) => activate(event, () => onPick(picked ? "" : edge.id))}
    >
      <title>{`${edge.from} → ${edge.to}\n${edge.protocol}: ${count(edge.requests)} requests, ${says}, slowest ${duration(edge.slowest)}, ${percent(share)} failed${edge.tls > 0 ? `\n${edge.tls < 1 ? `${percent(edge.tls)} encrypted` : "encrypted"}` : ""}`}</title>
      <path d={path} class="edge-touch" />
      <path d={path} class="edge-line" style={{ strokeWidth: `${thick}px`, stroke: share >= 0.05 ? "var(--bad)" : `var(${protocolColor(edge.protocol)})` }} marker-end={`url(#arrow-${share >= 0.05 ? "bad" : "calm"})`} />
    </g>
  );
}

/** Pixels of a small letter, on average and amply. */
const LETTER = 5.9;

function EdgeLabel({ edge, line, faded, lastingS }: Pick<EdgeProps, "edge" | "line" | "faded" | "lastingS">) {
  if (!line) return null;
  const share = edge.requests > 0 ? edge.failed / edge.requests : 0;
  const first = `${rate(edge.requests / lastingS)} · ${duration(edge.delay)}`;
  const second = share > 0 ? `${edge.protocol} · ${percent(share)} failed` : edge.protocol;
  const lock = edge.tls > 0 ? 12 : 0;
  const width = Math.max(first.length * LETTER, second.length * LETTER + lock) + 8;
  return (
    <g transform={`translate(${line.label.x} ${line.label.y})`} class={`edge-label ${share >= 0.05 ? "bad" : ""} ${faded ? "faded" : ""}`} aria-hidden="true">
      <rect x={-width / 2} y="-14" width={width} height="28" rx="5" />
      <text y="-3">{first}</text>
      <text y="10" x={lock / 2} class="edge-more">
        {second}
      </text>
      {lock > 0 && <path class={`lock ${edge.tls < 1 ? "partly" : ""}`} transform={`translate(${(lock - second.length * LETTER) / 2 - 11} 2)`} d="M0 3.5h8v5.5h-8zM1.8 3.5v-1.4a2.2 2.2 0 0 1 4.4 0v1.4" />}
    </g>
  );
}

function cut(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}
