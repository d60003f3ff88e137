// Where everything of a statechart stands, in pixels: boxes of states with their transitions as rows of text, and lines between them.
//
// LAYOUT-1. A level is laid out after the levels below it, each state of it as one box: lines end at the border of a box of their level.
// LAYOUT-2. A line stands for every transition from one box to another; what stays within a box is a row of text only.
// LAYOUT-3. Transitions of the root are chips, not lines: they leave every state.
// LAYOUT-4. A state that only the root's transitions lead to stands beside those that it leads to, not before them.
import { layout as arrange, Graph } from '@dagrejs/dagre';
import { isBootState } from './active.js';
import type { Machine, StateNode, Transition } from './definition.js';
import { rowText } from './words.js';

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Row extends Point {
  readonly transition: Transition;
  readonly left: string;
  readonly guard: string;
  readonly right: string;
}

export interface Box extends Point {
  readonly node: StateNode;
  readonly width: number;
  readonly height: number;
  readonly rows: readonly Row[];
}

export interface Line {
  readonly from: StateNode;
  readonly to: StateNode;
  /** The last one is the tip. */
  readonly points: readonly Point[];
}

export interface Layout {
  readonly width: number;
  readonly height: number;
  /** A box comes before those within it. */
  readonly boxes: readonly Box[];
  readonly lines: readonly Line[];
  readonly chips: readonly Transition[];
}

interface LayoutOptions {
  /** `across`: from left to right. */
  readonly direction: 'down' | 'across';
  /** States in which the machine only decides where to begin. */
  readonly showsBoot: boolean;
  readonly showsActions: boolean;
}

/** Of the font of the chart: monospace, 12 px. */
export const CHAR = 7.25;
export const ROW = 18;
export const TITLE = 30;
export const PAD = 12;
const GAP = 14;
/** Where the rows end and what is beside them begins. */
const BETWEEN = 3 * CHAR;
/** For borders, and above for the sign of where it begins. */
const MARGIN = 2;
const MARGIN_TOP = 14;
/** How far two lines between the same boxes stand apart, halved. */
const TWIN = 6;
/** `59 m 59 s`. */
const COUNTDOWN_CHARS = 8;
/** For the sign of the state, and its words beside its name. */
const SIGN = 20;

type Pair = readonly [from: StateNode, to: StateNode];

/** A level that was laid out: its boxes relative to its corner. */
interface Level {
  readonly width: number;
  readonly height: number;
  readonly boxes: readonly Box[];
  readonly lines: readonly Line[];
}

export function layoutOf(machine: Machine, options: LayoutOptions): Layout {
  const { root } = machine;
  const shown = (node: StateNode): boolean => options.showsBoot || !isBootState(machine, node);
  const level = levelOf(root, machine, shown, options);
  return {
    ...moved(level, MARGIN, MARGIN_TOP),
    width: level.width + 2 * MARGIN,
    height: level.height + MARGIN_TOP + MARGIN,
    chips: root.transitions,
  };
}

/** LAYOUT-1. The children of a node. */
function levelOf(
  parent: StateNode,
  machine: Machine,
  shown: (node: StateNode) => boolean,
  options: LayoutOptions,
): Level {
  const inner = parent.children.filter(shown).map((node) => boxOf(node, machine, shown, options));
  const pairs = pairsOf(parent, machine).filter(([from, to]) => shown(from) && shown(to));
  const graph = arranged(
    inner.map(({ box }) => box),
    edgesOf(
      parent,
      machine,
      inner.map(({ box }) => box.node),
      pairs,
    ),
    parent.parent === null && options.direction === 'across',
  );
  const placed = inner.map(({ box, level }) => {
    const { x = 0, y = 0 } = graph.node(box.node.id);
    return place(box, level, x - box.width / 2, y - box.height / 2);
  });
  const boxes = new Map(placed.map(({ box }) => [box.node, box]));
  const own = pairs.map(([from, to]): Line => {
    const hasTwin = pairs.some(([a, b]) => a === to && b === from);
    const path = pathOf(graph, from, to);
    return atBorders({ from, to, points: hasTwin ? beside(path, TWIN) : path }, boxes);
  });
  return atCorner(
    placed.flatMap(({ box, level }) => [box, ...level.boxes]),
    [...own, ...placed.flatMap(({ level }) => level.lines)],
  );
}

/** From which box to which the arrangement is made: of two that lead to each other one way is enough. */
function edgesOf(
  parent: StateNode,
  machine: Machine,
  nodes: readonly StateNode[],
  pairs: readonly Pair[],
): readonly Pair[] {
  const boot = parent.initial !== null && isBootState(machine, parent.initial);
  const first = (boot ? nodes.find((node) => node !== parent.initial) : parent.initial) ?? nodes[0];
  const edges: Pair[] = [];
  const add = (from: StateNode, to: StateNode): void => {
    if (!edges.some(([a, b]) => (a === from && b === to) || (a === to && b === from))) edges.push([from, to]);
  };
  // LAYOUT-4.
  const isAside = (node: StateNode): boolean =>
    parent.parent === null &&
    node !== first &&
    !pairs.some(([from, to]) => to === node && !isBootState(machine, from)) &&
    !isBootState(machine, node);
  for (const [from, to] of pairs)
    if (isAside(from) && to === first) add(to, from);
    else add(from, to);
  if (first !== undefined) for (const node of nodes) if (isAside(node)) add(first, node);
  return edges;
}

function arranged(boxes: readonly Box[], edges: readonly Pair[], isAcross: boolean): Graph {
  const graph = new Graph();
  graph.setGraph({ rankdir: isAcross ? 'LR' : 'TB', nodesep: 28, ranksep: isAcross ? 64 : 44, edgesep: 18 });
  for (const { node, width, height } of boxes) graph.setNode(node.id, { width, height });
  for (const [from, to] of edges) graph.setEdge(from.id, to.id, {});
  arrange(graph);
  return graph;
}

function pathOf(graph: Graph, from: StateNode, to: StateNode): Point[] {
  const points = (v: StateNode, w: StateNode): Point[] => (graph.edge(v.id, w.id) as { points?: Point[] }).points ?? [];
  return graph.hasEdge(from.id, to.id) ? [...points(from, to)] : points(to, from).reverse();
}

/** Everything moved so that the uppermost and leftmost of it is at 0: lines may go round a box that stands at the border. */
function atCorner(boxes: readonly Box[], lines: readonly Line[]): Level {
  const points = lines.flatMap((line) => line.points);
  const xs = [...boxes.flatMap(({ x, width }) => [x, x + width]), ...points.map(({ x }) => x)];
  const ys = [...boxes.flatMap(({ y, height }) => [y, y + height]), ...points.map(({ y }) => y)];
  const [left, top] = [Math.min(...xs), Math.min(...ys)];
  if (xs.length === 0) return EMPTY;
  const size = { width: Math.max(...xs) - left, height: Math.max(...ys) - top };
  return moved({ ...size, boxes, lines }, -left, -top);
}

const EMPTY: Level = { width: 0, height: 0, boxes: [], lines: [] };

/** A box at the corner, with its rows and what is within it. */
function boxOf(
  node: StateNode,
  machine: Machine,
  shown: (node: StateNode) => boolean,
  options: LayoutOptions,
): { box: Box; level: Level } {
  const level = node.children.length > 0 ? levelOf(node, machine, shown, options) : EMPTY;
  const rows = node.transitions.map((transition, i): Row => {
    return { transition, ...rowText(transition, options.showsActions), x: PAD, y: TITLE + i * ROW };
  });
  const rowChars = Math.max(0, ...rows.map(charsOf));
  const rowWidth = rows.length === 0 ? 0 : rowChars * CHAR + BETWEEN;
  const titleWidth = SIGN + node.key.length * CHAR + 13 * CHAR;
  const rowsEnd = TITLE + rows.length * ROW + (rows.length > 0 ? 6 : 0);
  const width = Math.max(titleWidth, rowWidth, level.width) + 2 * PAD;
  const inset = (width - level.width) / 2;
  const below = level === EMPTY ? EMPTY : moved(level, inset, rowsEnd + GAP - 6);
  const height = level === EMPTY ? rowsEnd + 4 : rowsEnd + GAP - 6 + level.height + PAD;
  return { box: { node, x: 0, y: 0, width, height, rows }, level: { ...level, ...below } };
}

/** A timer has its countdown beside it. */
const charsOf = ({ transition, left, guard, right }: Row): number =>
  left.length + guard.length + right.length + (transition.kind === 'after' ? COUNTDOWN_CHARS : 0);

function place(box: Box, level: Level, dx: number, dy: number): { box: Box; level: Level } {
  return { box: movedBox(box, dx, dy), level: { ...level, ...moved(level, dx, dy) } };
}

const movedPoint = <P extends Point>(point: P, dx: number, dy: number): P => ({
  ...point,
  x: point.x + dx,
  y: point.y + dy,
});

const movedBox = (box: Box, dx: number, dy: number): Box => ({
  ...movedPoint(box, dx, dy),
  rows: box.rows.map((row) => movedPoint(row, dx, dy)),
});

const moved = ({ boxes, lines, width, height }: Level, dx: number, dy: number): Level => ({
  width,
  height,
  boxes: boxes.map((box) => movedBox(box, dx, dy)),
  lines: lines.map((line) => ({ ...line, points: line.points.map((point) => movedPoint(point, dx, dy)) })),
});

/** LAYOUT-2. Which children of `parent` transitions lead from and to, without those of `parent` itself and above; each pair once. */
function pairsOf(parent: StateNode, machine: Machine): Pair[] {
  const pairs = new Map<string, Pair>();
  for (const { source, targets } of machine.transitions)
    for (const target of targets) {
      const [from, to] = [childAbove(parent, source), childAbove(parent, target)];
      if (from !== null && to !== null && from !== to) pairs.set(`${from.id} ${to.id}`, [from, to]);
    }
  return [...pairs.values()];
}

/** The child of `parent` that `node` is or lies in; null: it lies elsewhere. */
export function childAbove(parent: StateNode, node: StateNode): StateNode | null {
  if (node.parent === null) return null;
  return node.parent === parent ? node : childAbove(parent, node.parent);
}

/** A path some pixels beside it. */
function beside(points: readonly Point[], by: number): Point[] {
  return points.map((point, i) => {
    const a = points[Math.max(i - 1, 0)] ?? point;
    const b = points[Math.min(i + 1, points.length - 1)] ?? point;
    const length = Math.hypot(b.x - a.x, b.y - a.y) || 1;
    return { x: point.x - ((b.y - a.y) / length) * by, y: point.y + ((b.x - a.x) / length) * by };
  });
}

/** Its ends at the borders of its boxes, each where the point next to it is nearest: lines leave and reach a box at a right angle. */
function atBorders(line: Line, boxes: ReadonlyMap<StateNode, Box>): Line {
  const points = [...line.points];
  const [from, to] = [boxes.get(line.from), boxes.get(line.to)];
  const [second, last] = [points[1], points.length - 1];
  const beforeLast = points[last - 1];
  if (from !== undefined && second !== undefined) points[0] = onBorder(second, from);
  if (to !== undefined && beforeLast !== undefined) points[last] = onBorder(beforeLast, to);
  return { ...line, points };
}

/** The nearest point on the border. */
function onBorder({ x, y }: Point, { x: left, y: top, width, height }: Box): Point {
  const inX = Math.min(Math.max(x, left + 8), left + width - 8);
  const inY = Math.min(Math.max(y, top + 8), top + height - 8);
  const sides = [
    { x: left, y: inY },
    { x: left + width, y: inY },
    { x: inX, y: top },
    { x: inX, y: top + height },
  ];
  return sides.reduce((best, side) => (distance(side, x, y) < distance(best, x, y) ? side : best));
}

const distance = (point: Point, x: number, y: number): number => Math.hypot(point.x - x, point.y - y);
