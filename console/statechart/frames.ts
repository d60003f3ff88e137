// The frames of the inspection socket, as a page reads them. Whatever is no such frame is null: a newer daemon may send others.
import type { Json } from './definition.js';

export type Context = Readonly<Record<string, Json>>;

export interface Snapshot {
  readonly status: string;
  readonly value: Json;
  readonly context: Context;
  readonly error?: string;
}

export interface EventOf {
  readonly type: string;
  readonly [member: string]: Json;
}

export type Frame =
  | {
      readonly kind: 'actor';
      readonly name: string;
      readonly session: string;
      readonly definition: string;
      readonly snapshot: Snapshot;
      readonly atMs: number;
    }
  | { readonly kind: 'event'; readonly session: string; readonly event: EventOf; readonly atMs: number }
  | {
      readonly kind: 'snapshot';
      readonly session: string;
      readonly event: EventOf;
      readonly snapshot: Snapshot;
      readonly atMs: number;
    }
  | { readonly kind: 'watching'; readonly targets: readonly string[]; readonly leftOut: number }
  | { readonly kind: 'dropped'; readonly target: string; readonly events: number; readonly snapshots: number };

interface Wire {
  readonly type?: string;
  readonly control?: string;
  readonly name?: string;
  readonly sessionId?: string;
  readonly definition?: string;
  readonly createdAt?: string;
  readonly event?: EventOf;
  readonly snapshot?: Partial<Snapshot>;
  readonly targets?: readonly string[];
  readonly left_out?: number;
  readonly target?: string;
  readonly events?: number;
  readonly snapshots?: number;
}

export function frameOf(text: string): Frame | null {
  let wire: Wire | null;
  try {
    wire = JSON.parse(text) as Wire | null;
  } catch {
    return null;
  }
  if (typeof wire !== 'object' || wire === null) return null;
  const { control, targets = [], left_out: leftOut = 0, target = '', events = 0, snapshots = 0 } = wire;
  if (control === 'watching') return { kind: 'watching', targets, leftOut };
  if (control === 'dropped') return { kind: 'dropped', target, events, snapshots };
  return actorFrameOf(wire);
}

function actorFrameOf({
  type,
  sessionId: session,
  createdAt,
  name = '',
  definition,
  event,
  snapshot,
}: Wire): Frame | null {
  const atMs = Number(createdAt);
  if (session === undefined || !Number.isFinite(atMs)) return null;
  if (type === '@xstate.event' && event !== undefined) return { kind: 'event', session, event, atMs };
  if (snapshot === undefined) return null;
  const shown = { status: 'active', value: null, context: {}, ...snapshot };
  if (type === '@xstate.snapshot' && event !== undefined)
    return { kind: 'snapshot', session, event, snapshot: shown, atMs };
  if (type === '@xstate.actor' && definition !== undefined)
    return { kind: 'actor', name, session, definition, snapshot: shown, atMs };
  return null;
}
