// An actor as a page follows it: its log, and how it is connected. Both are signals of one kind: `version` grows when there is something new.
//
// LIVE-ACTOR-1. What comes is shown at most every SHOW_MS: a burst is one paint.
import { type Signal, signal } from '@preact/signals';
import { problemOf, request } from '../live/api.js';
import { Connection, type ConnectionState, type SocketLike, type TicketProblem } from './actor-connection.js';
import { frameOf } from './frames.js';
import { ActorLog } from './log.js';

const SHOW_MS = 100;

export interface LiveActor {
  readonly log: ActorLog;
  /** Grows with what the log has got since. */
  readonly version: Signal<number>;
  readonly connection: Signal<ConnectionState>;
  readonly retry: () => void;
  readonly end: () => void;
}

export type Selection = { readonly id: string; readonly version: string } | 'supervisor';

const selectionQuery = (selection: Selection): string =>
  selection === 'supervisor'
    ? 'supervisor=true'
    : `extension=${encodeURIComponent(selection.id)}&version=${encodeURIComponent(selection.version)}`;

export const selectionName = (selection: Selection): string =>
  selection === 'supervisor' ? 'supervisor' : `${selection.id}@${selection.version}`;

export function follow(selection: Selection): LiveActor {
  const log = new ActorLog();
  const version = signal(0);
  const state = signal<ConnectionState>({ kind: 'connecting' });
  let timer: ReturnType<typeof setTimeout> | null = null;
  // LIVE-ACTOR-1.
  const show = (): void => {
    timer ??= setTimeout(() => {
      timer = null;
      version.value++;
    }, SHOW_MS);
  };
  const connection = new Connection({
    ticket: takeTicket,
    // A browser gives its handlers more than SocketLike asks for.
    open: (ticket) => new WebSocket(addressOf(selection, ticket)) as unknown as SocketLike,
    onFrame: (text) => {
      const frame = frameOf(text);
      if (frame === null) return;
      log.take(frame);
      show();
    },
    onState: (now) => {
      state.value = now;
    },
    now: Date.now,
    random: Math.random,
    later: (run, ms) => {
      const id = setTimeout(run, ms);
      return () => clearTimeout(id);
    },
  });
  return {
    log,
    version,
    connection: state,
    retry: () => connection.retry(),
    end: () => {
      connection.end();
      if (timer !== null) clearTimeout(timer);
    },
  };
}

async function takeTicket(): Promise<string | TicketProblem> {
  try {
    const { body } = await request<{ readonly ticket: string }>('/inspect/tickets', { method: 'POST', body: {} });
    return body.ticket;
  } catch (error) {
    const { status, detail } = problemOf(error);
    return { status, detail };
  }
}

function addressOf(selection: Selection, ticket: string): string {
  const { protocol, host } = location;
  const scheme = protocol === 'https:' ? 'wss:' : 'ws:';
  return `${scheme}//${host}/inspect?${selectionQuery(selection)}&control=1&ticket=${encodeURIComponent(ticket)}`;
}
