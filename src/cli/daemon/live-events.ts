// GET /admin/events: one connection, by Server-Sent Events, which is made again when it is lost.
//
// LIVE-EVENTS-1. Events of the registry are resumed after the last one that was read; what cannot be resumed comes as a `gap`.
// LIVE-EVENTS-2. The first connection has to succeed. Later ones are tried until `signal` ends it, each after a wait that doubles up to
//     MAX_WAIT_MS, of which chance takes a part. A refusal that waiting does not help ends it.
// LIVE-EVENTS-3. A connection that says nothing for SILENCE_MS is lost: the daemon sends a comment every 15 s.
// LIVE-EVENTS-4. What `begin` reads belongs to the connection: if that fails for a passing reason, the connection is lost, and both are
//     tried again.
import type { IncomingMessage } from 'node:http';
import { CommandError, EXIT } from '../process/command-error.js';
import { pause } from '../process/repeat.js';
import type { DaemonClient } from './daemon-client.js';
import { isPassing } from './refusals.js';

const FIRST_WAIT_MS = 500;
const MAX_WAIT_MS = 10_000;
const SILENCE_MS = 40_000;

interface StreamEvent {
  /** As the daemon names it; `lost`: the connection is, and `data` says why. */
  readonly event: string;
  readonly data: string;
  readonly id: string | null;
}

interface StreamOptions {
  readonly signal: AbortSignal;
  /** Resume after this event. */
  readonly lastEventId?: string;
  /** Runs at the `hello` of each connection, before it is yielded. LIVE-EVENTS-4. */
  readonly begin?: (signal: AbortSignal) => Promise<void>;
}

/** Ends when `signal` aborts. Throws a CommandError. */
export async function* liveEvents(
  daemon: DaemonClient,
  path: string,
  { signal, lastEventId, begin }: StreamOptions,
): AsyncGenerator<StreamEvent, void, undefined> {
  let last = lastEventId ?? null;
  let isFirst = true;
  let waitMs = FIRST_WAIT_MS;
  while (!signal.aborted) {
    const connection = new AbortController();
    const either = AbortSignal.any([signal, connection.signal]);
    let problem = 'the connection was lost';
    try {
      const headers = { accept: 'text/event-stream', ...(last === null ? {} : { 'last-event-id': last }) };
      const response = await daemon.stream(path, headers, either);
      for await (const one of eventsIn(response, connection)) {
        isFirst = false;
        if (one.event === 'hello') await begin?.(either);
        waitMs = FIRST_WAIT_MS;
        if (one.id !== null) last = one.id;
        if (one.event === 'bye') problem = byeText(one.data);
        yield one;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof CommandError && (isFirst || !isPassing(error))) throw error;
      problem = (error as Error).message;
    } finally {
      connection.abort();
    }
    if (signal.aborted) return;
    isFirst = false;
    yield { event: 'lost', data: problem, id: null };
    await pause(waitMs * Math.random(), signal);
    waitMs = Math.min(MAX_WAIT_MS, waitMs * 2);
  }
}

function byeText(data: string): string {
  const { reason } = JSON.parse(data) as { readonly reason?: string };
  if (reason === 'unauthenticated')
    throw new CommandError(EXIT.answeredWithError, 'unauthenticated: the token is not valid any more', {
      next: 'extreg token create makes another one',
    });
  return reason === 'stopping' ? 'the daemon is stopping' : `the daemon ended it: ${reason ?? 'no reason given'}`;
}

/** LIVE-EVENTS-3. */
async function* eventsIn(response: IncomingMessage, connection: AbortController): AsyncGenerator<StreamEvent> {
  const timer = setTimeout(() => connection.abort(), SILENCE_MS);
  const parser = new EventParser();
  try {
    for await (const chunk of response) {
      timer.refresh();
      yield* parser.read(chunk as Buffer);
    }
  } finally {
    clearTimeout(timer);
  }
}

/** The part of the format that the daemon uses, with any line ends and in any pieces. */
export class EventParser {
  readonly #decoder = new TextDecoder();
  #rest = '';
  #event = '';
  #data: string[] = [];
  #id: string | null = null;

  *read(chunk: Uint8Array): Generator<StreamEvent> {
    const lines = `${this.#rest}${this.#decoder.decode(chunk, { stream: true })}`.split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const text = line.endsWith('\r') ? line.slice(0, -1) : line;
      if (text !== '') this.#field(text);
      else if (this.#data.length > 0 || this.#event !== '') yield this.#take();
    }
  }

  #field(line: string): void {
    const [, name, value = ''] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
    if (name === 'event') this.#event = value;
    else if (name === 'data') this.#data.push(value);
    else if (name === 'id') this.#id = value;
  }

  #take(): StreamEvent {
    const one = { event: this.#event || 'message', data: this.#data.join('\n'), id: this.#id };
    this.#event = '';
    this.#data = [];
    this.#id = null;
    return one;
  }
}
