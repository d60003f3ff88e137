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

/** `a@v1`, `supervisor`, or `*`; null: it is neither. */
export function selectionOf(name: string): Selection | 'all' | null {
  if (name === '*') return 'all';
  if (name === 'supervisor') return name;
  const [id = '', ...version] = name.split('@');
  return id === '' || version.length === 0 ? null : { id, version: version.join('@') };
}

function selectionQuery(selection: Selection | 'all'): string {
  if (selection === 'all') return 'extension=*';
  if (selection === 'supervisor') return 'supervisor=true';
  return `extension=${encodeURIComponent(selection.id)}&version=${encodeURIComponent(selection.version)}`;
}

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
  const connection = connect(selection, {
    hasControl: true,
    onFrame: (text) => {
      const frame = frameOf(text);
      if (frame === null) return;
      log.take(frame);
      show();
    },
    onState: (now) => {
      state.value = now;
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

interface Handlers {
  /** Frames of the daemon, too: what is watched, and what was left out. */
  readonly hasControl: boolean;
  readonly onFrame: (text: string) => void;
  readonly onState: (state: ConnectionState) => void;
}

/** A socket for this selection, kept open until it is ended. */
export function connect(selection: Selection | 'all', { hasControl, onFrame, onState }: Handlers): Connection {
  return new Connection({
    ticket: takeTicket,
    // A browser gives its handlers more than SocketLike asks for.
    open: (ticket) => new WebSocket(addressOf(selection, hasControl, ticket)) as unknown as SocketLike,
    onFrame,
    onState,
    now: Date.now,
    random: Math.random,
    later: (run, ms) => {
      const id = setTimeout(run, ms);
      return () => clearTimeout(id);
    },
  });
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

function addressOf(selection: Selection | 'all', hasControl: boolean, ticket: string): string {
  const { protocol, host } = location;
  const scheme = protocol === 'https:' ? 'wss:' : 'ws:';
  const control = hasControl ? '&control=true' : '';
  return `${scheme}//${host}/inspect?${selectionQuery(selection)}${control}&ticket=${encodeURIComponent(ticket)}`;
}
