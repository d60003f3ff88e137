// What `extreg inspect --follow` prints: a line for each frame of an inspection socket.
import { singleLine } from './terminal-text.js';

interface Frame {
  readonly type?: string;
  readonly sessionId?: string;
  /** Epoch ms, as text. */
  readonly createdAt?: string;
  readonly event?: { readonly type?: string };
  readonly snapshot?: { readonly value?: unknown; readonly status?: string; readonly error?: string };
  readonly control?: string;
  readonly targets?: readonly string[];
  readonly left_out?: number;
  readonly target?: string;
  readonly events?: number;
  readonly snapshots?: number;
}

/** Of a snapshot in the same state as the one before it: its event has a separate line. */
const NOTHING_NEW = '';

export class InspectionText {
  /** State by target. */
  readonly #states = new Map<string, string>();

  /** One line with its line end, or nothing if the frame says what was printed already; a frame that cannot be read is printed as it came. */
  line(text: string): string {
    const frame = parsed(text);
    const said = frame === null ? null : this.#said(frame);
    if (said === NOTHING_NEW) return '';
    return `${singleLine(said ?? text)}\n`;
  }

  #said(frame: Frame): string | null {
    if (frame.control === 'watching') {
      const others = frame.left_out ? `, and ${frame.left_out} more that this connection does not show` : '';
      return `watching ${frame.targets?.join(', ') || 'nothing yet'}${others}`;
    }
    if (frame.control === 'dropped')
      return `${frame.target}  left out: ${frame.events} events, ${frame.snapshots} snapshots`;
    const happened = this.#happened(frame);
    if (happened === NOTHING_NEW) return NOTHING_NEW;
    if (happened === null || frame.sessionId === undefined) return null;
    const atMs = Number(frame.createdAt);
    const time = Number.isFinite(atMs) ? new Date(atMs).toISOString() : '-';
    return `${time}  ${nameOf(frame.sessionId)}  ${happened}`;
  }

  #happened({ type, sessionId = '', event, snapshot }: Frame): string | null {
    const eventType = event?.type ?? 'unknown event';
    if (type === '@xstate.event') return eventType;
    if (type !== '@xstate.actor' && type !== '@xstate.snapshot') return null;
    const state = snapshot?.status === 'error' ? `failed: ${snapshot.error}` : stateText(snapshot?.value);
    const before = this.#states.get(sessionId);
    this.#states.set(sessionId, state);
    if (type === '@xstate.actor') return `is ${state}`;
    if (before === state) return NOTHING_NEW;
    return before === undefined ? `is ${state}` : `${before} → ${state}, by ${eventType}`;
  }
}

/** Of the actor: what follows the boot of its daemon. */
const nameOf = (sessionId: string): string => sessionId.slice(sessionId.indexOf('/') + 1);

/** `closed.steady`. */
function stateText(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value);
  return Object.entries(value)
    .map(([name, inner]) => `${name}.${stateText(inner)}`)
    .join(', ');
}

function parsed(text: string): Frame | null {
  try {
    const frame: unknown = JSON.parse(text);
    return typeof frame === 'object' && frame !== null ? frame : null;
  } catch {
    return null;
  }
}
