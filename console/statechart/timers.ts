// What the context of a machine of this product says of times: since when it is in its state, and when its timers are due.
import type { Json, Transition } from './definition.js';
import type { View } from './log.js';

/** Members of the breaker's context, by the name of the delay; of a list the earliest counts. */
const DUE: Readonly<Record<string, string>> = {
  openTime: 'openUntilMs',
  rampTime: 'rampUntilMs',
  lease: 'leasesUntilMs',
};

/** By the outermost active state. */
const SINCE: Readonly<Record<string, string>> = {
  open: 'openedAtMs',
  closed: 'closedAtMs',
  forcedClosed: 'closedAtMs',
};

/** Epoch ms; null: it is no timer, or nothing says when. `sinceMs`: since when its state is active. */
export function dueAtMs({ kind, delay }: Transition, { context }: View, sinceMs: number | null): number | null {
  if (kind !== 'after' || delay === null) return null;
  const fixed = Number(delay);
  if (Number.isFinite(fixed)) return sinceMs === null ? null : sinceMs + fixed;
  return earliest(context[DUE[delay] ?? '']);
}

/** Epoch ms; null: the context does not say. */
export function sinceMs({ value, context }: View): number | null {
  const outermost = typeof value === 'string' ? value : Object.keys((value as object | null) ?? {})[0];
  const name = SINCE[outermost ?? ''];
  return name === undefined ? null : earliest(context[name]);
}

function earliest(time: Json | undefined): number | null {
  if (typeof time === 'number') return time;
  if (!Array.isArray(time) || time.length === 0) return null;
  return Math.min(...time.filter((one) => typeof one === 'number'));
}
