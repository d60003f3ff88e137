// A statechart as SVG: boxes of states, transitions as rows of text, lines where a state is left.
//
// CHART-1. It is a list of states for who cannot see it: an active one is current, and the words of a state are its name.
// CHART-2. Data is only ever text; colours and widths come from the style sheet.
// biome-ignore-all lint/a11y/useSemanticElements: within an SVG there is no ul and no li
// biome-ignore-all lint/a11y/noInteractiveElementToNoninteractiveRole: a group of an SVG is not interactive
// biome-ignore-all lint/a11y/noAriaHiddenOnFocusable: none of these elements takes the focus
import { useSignal } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { nowMs } from '../live/clock.js';
import { duration } from '../words/times.js';
import { activeNodes } from './active.js';
import { Arrow } from './arrow.js';
import type { Machine, StateNode, Transition } from './definition.js';
import {
  type Box,
  CHAR,
  childAbove,
  type Layout,
  type Line,
  layoutOf,
  PAD,
  type Point,
  ROW,
  type Row,
  TITLE,
} from './layout.js';
import type { View } from './log.js';
import { dueAtMs } from './timers.js';
import { signOf, toneOf } from './tones.js';
import { nodeName, targetText, transitionText } from './words.js';

interface ChartProps {
  readonly label: string;
  readonly machine: Machine;
  readonly view: View;
  readonly sinceMs: number | null;
  /** The transition that led to the state; null: not known. */
  readonly taken: Transition | null;
  /** That of the last event, also where the state stayed; null: none, or not known. */
  readonly last: Transition | null;
  readonly showsBoot: boolean;
  readonly showsActions: boolean;
}

/** What every part of a chart is drawn by. */
interface Drawn {
  readonly view: View;
  readonly active: ReadonlySet<StateNode>;
  readonly taken: Transition | null;
  readonly last: Transition | null;
  readonly sinceMs: number | null;
}

/** Below this part of its size a chart is turned rather than made smaller. */
const SMALLEST = 0.82;

export function Chart({ label, machine, view, sinceMs, taken, last, showsBoot, showsActions }: ChartProps) {
  const frame = useRef<HTMLDivElement>(null);
  const width = useSignal(0);
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => {
      width.value = entry?.contentRect.width ?? 0;
    });
    if (frame.current !== null) observer.observe(frame.current);
    return () => observer.disconnect();
  }, []);
  const layouts = useMemo(() => {
    const options = { showsBoot, showsActions };
    return {
      across: layoutOf(machine, { ...options, direction: 'across' }),
      down: layoutOf(machine, { ...options, direction: 'down' }),
    };
  }, [machine, showsBoot, showsActions]);
  const layout = layouts.across.width * SMALLEST <= width.value ? layouts.across : layouts.down;
  const drawn: Drawn = { view, active: new Set(activeNodes(machine, view.value)), taken, last, sinceMs };
  const scale = Math.min(1, Math.max(width.value / layout.width, SMALLEST));
  const isAt = layout.boxes.find(({ node }) => drawn.active.has(node));
  // Where the chart is wider than its frame, what is active is in view.
  useEffect(() => {
    const element = frame.current;
    if (element === null || isAt === undefined || element.scrollWidth <= element.clientWidth) return;
    element.scrollLeft = (isAt.x + isAt.width / 2) * scale - element.clientWidth / 2;
  }, [isAt?.node.id, width.value]);
  return (
    <div class="statechart">
      <Chips chips={layout.chips} drawn={drawn} />
      <div class="chart-frame" ref={frame}>
        {width.value === 0 ? null : <Drawing label={label} layout={layout} drawn={drawn} scale={scale} />}
      </div>
    </div>
  );
}

/** What leaves every state. */
function Chips({ chips, drawn }: { readonly chips: readonly Transition[]; readonly drawn: Drawn }) {
  if (chips.length === 0) return null;
  return (
    <p class="chips">
      <span class="dim">From any state:</span>{' '}
      {chips.map((chip) => (
        <span
          key={chip.key}
          class="chip"
          data-taken={chip === drawn.taken}
          data-last={chip === drawn.last}
          title={transitionText(chip)}
        >
          {chip.event} <span class="dim">{targetText(chip) || `/ ${chip.actions.join(', ')}`}</span>
        </span>
      ))}
    </p>
  );
}

interface DrawingProps {
  readonly label: string;
  readonly layout: Layout;
  readonly drawn: Drawn;
  readonly scale: number;
}

function Drawing({ label, layout, drawn, scale }: DrawingProps) {
  const { width, height, boxes, lines } = layout;
  const top = boxes.filter(({ node }) => node.parent?.parent === null);
  const taken = lines.filter((line) => leadsAlong(line, drawn.taken));
  return (
    <svg
      class="chart-drawing"
      width={width * scale}
      height={height * scale}
      viewBox={`0 0 ${width} ${height}`}
      role="list"
      aria-label={label}
    >
      {top.map((box) => (
        <State key={box.node.id} box={box} boxes={boxes} drawn={drawn} />
      ))}
      <g aria-hidden="true">
        {lines.map((line) => (
          <Arrow key={keyOf(line)} line={line} isTaken={false} />
        ))}
        {/* Drawn once more above the others: elements that move in the document keep styles of before. */}
        {taken.map((line) => (
          <Arrow key={`taken ${keyOf(line)}`} line={line} isTaken={true} />
        ))}
      </g>
    </svg>
  );
}

const keyOf = ({ from, to }: Line): string => `${from.id} ${to.id}`;

/** Whether the line stands for this transition. */
function leadsAlong({ from, to }: Line, taken: Transition | null): boolean {
  const parent = from.parent;
  if (taken === null || parent === null) return false;
  return childAbove(parent, taken.source) === from && taken.targets.some((target) => childAbove(parent, target) === to);
}

interface StateProps {
  readonly box: Box;
  readonly boxes: readonly Box[];
  readonly drawn: Drawn;
}

/** CHART-1. */
function State({ box, boxes, drawn }: StateProps) {
  const { node, x, y, width, height, rows } = box;
  const isActive = drawn.active.has(node);
  const inner = boxes.filter((one) => one.node.parent === node);
  const sign = signOf(node);
  return (
    <g
      role="listitem"
      class="chart-state"
      data-state={nodeName(node)}
      data-active={isActive}
      data-inner={node.parent?.parent !== null}
      data-tone={toneOf(node)}
      aria-current={isActive ? 'true' : undefined}
      aria-label={`${nodeName(node)}${isActive ? ', active' : ''}: ${rows.map((row) => transitionText(row.transition)).join('; ')}`}
    >
      <rect class="chart-box" x={x} y={y} width={width} height={height} rx={7} />
      {node.type === 'final' ? (
        <rect class="chart-final" x={x + 3} y={y + 3} width={width - 6} height={height - 6} rx={5} />
      ) : null}
      {node.parent?.initial === node ? <Initial x={x + 20} y={y} /> : null}
      <text class="chart-title" x={x + PAD} y={y + TITLE - 10} aria-hidden="true">
        {sign === '' ? '' : `${sign} `}
        {node.key}
      </text>
      {rows.map((row) => (
        <TransitionRow key={row.transition.key} row={row} box={box} isActive={isActive} drawn={drawn} />
      ))}
      {inner.length === 0 ? null : (
        <g role="list" aria-label={`within ${nodeName(node)}`}>
          {inner.map((one) => (
            <State key={one.node.id} box={one} boxes={boxes} drawn={drawn} />
          ))}
        </g>
      )}
    </g>
  );
}

interface TransitionRowProps {
  readonly row: Row;
  readonly box: Box;
  /** Its state is active: timers count down. */
  readonly isActive: boolean;
  readonly drawn: Drawn;
}

function TransitionRow({ row, box, isActive, drawn }: TransitionRowProps) {
  const { transition, left, guard, right, x, y } = row;
  const isTaken = transition === drawn.taken;
  const base = y + 13;
  return (
    <g
      class="chart-row"
      data-taken={isTaken}
      data-last={transition === drawn.last}
      data-event={transition.event}
      aria-hidden="true"
    >
      <title>{transitionText(transition)}</title>
      {isTaken ? <rect class="chart-mark" x={box.x + 4} y={y - 1} width={box.width - 8} height={ROW} rx={3} /> : null}
      <text x={x} y={base}>
        {left}
        <tspan class="chart-guard">{guard}</tspan>
      </text>
      {isActive ? (
        <Countdown transition={transition} drawn={drawn} x={x + (left.length + guard.length + 1) * CHAR} y={base} />
      ) : null}
      <text class="chart-right" text-anchor="end" x={box.x + box.width - PAD} y={base}>
        {right}
      </text>
    </g>
  );
}

/** Where a machine, or a state with states within it, begins. */
function Initial({ x, y }: Point) {
  return (
    <g class="chart-initial" aria-hidden="true">
      <circle cx={x} cy={y - 8} r={3} />
      <path d={`M${x} ${y - 8}V${y}`} />
    </g>
  );
}

/** How long until a timer of an active state; it ticks once a second and redraws nothing else. */
function Countdown({ transition, drawn, x, y }: Point & { readonly transition: Transition; readonly drawn: Drawn }) {
  const dueMs = dueAtMs(transition, drawn.view, drawn.sinceMs);
  if (dueMs === null) return null;
  const left = dueMs - nowMs.value;
  return (
    <text class="chart-countdown" x={x} y={y}>
      {left <= 0 ? 'now' : duration(left)}
    </text>
  );
}
