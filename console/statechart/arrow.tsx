// A line of a chart, with rounded corners and a tip.
import type { Line, Point } from './layout.js';

const TIP = 7;

export function Arrow({ line, isTaken }: { readonly line: Line; readonly isTaken: boolean }) {
  const { points } = line;
  const tip = points.at(-1);
  const before = points.at(-2);
  if (tip === undefined || before === undefined) return null;
  const angle = Math.atan2(tip.y - before.y, tip.x - before.x);
  const corner = (turn: number) => `${tip.x - TIP * Math.cos(angle + turn)} ${tip.y - TIP * Math.sin(angle + turn)}`;
  return (
    <g class="chart-line" data-taken={isTaken} data-line={`${line.from.key} ${line.to.key}`}>
      <path d={smooth(points)} />
      <path class="chart-tip" d={`M${tip.x} ${tip.y}L${corner(0.45)}L${corner(-0.45)}Z`} />
    </g>
  );
}

/** A path with its corners rounded. */
function smooth(points: readonly Point[]): string {
  const [first, ...others] = points;
  if (first === undefined) return '';
  let path = `M${first.x} ${first.y}`;
  for (const [i, at] of others.entries()) {
    const next = others[i + 1];
    if (next === undefined) path += `L${at.x} ${at.y}`;
    else {
      const from = towards(at, i === 0 ? first : (others[i - 1] as Point));
      const to = towards(at, next);
      path += `L${from.x} ${from.y}Q${at.x} ${at.y} ${to.x} ${to.y}`;
    }
  }
  return path;
}

const ROUND = 10;

/** A point near `at`, on the way to another. */
function towards(at: Point, other: Point): Point {
  const length = Math.hypot(other.x - at.x, other.y - at.y) || 1;
  const part = Math.min(ROUND, length / 2) / length;
  return { x: at.x + (other.x - at.x) * part, y: at.y + (other.y - at.y) * part };
}
