// The one stream of this page: opened, watched, opened again, and let go of while the tab is hidden.
//
// CONSOLE-CONNECTION-1. The overview is read after the stream is open, so that no change is lost in between.
// CONSOLE-CONNECTION-2. A lost connection is tried again after 0.5 s, doubling to 10 s (3 s in the first half minute, which a restart takes), each by
//     chance within that, so that many pages do not come at once.
// CONSOLE-CONNECTION-3. A tab that is hidden for 30 s lets its stream go: a browser has six connections to one host.
// CONSOLE-CONNECTION-4. Where there are too many streams already, the overview is read every 10 s instead, with its ETag.
// CONSOLE-CONNECTION-5. A message that cannot be used is left out, and the browser reports it: the stream and what came beside it stay.
// CONSOLE-CONNECTION-6. A connection, or an answer that it needs, that brings nothing for 40 s is given up and tried again.

import { effect, signal } from '@preact/signals';
import type { BoardEntry, BoardTuple } from '../../src/domain/board-codes.js';
import { ApiError, problemOf, request, send } from './api.js';
import { addRows, changeRows, type Overview, putOverview, removeRows, rowCount } from './board.js';
import { nowMs, setClock } from './clock.js';
import { type DaemonNews, daemon, gap, putEvent, type Summary, summary } from './news.js';
import { forget, left, refused, token, type Whoami, whoami } from './session.js';
import { type ServerEvent, serverEvents } from './sse.js';

type Connection =
  /** Not yet. */
  | { readonly kind: 'connecting' }
  | { readonly kind: 'live' }
  | { readonly kind: 'polling' }
  /** The tab is hidden. */
  | { readonly kind: 'resting' }
  /** `sinceMs`: when it was heard last. `why`: in words. */
  | { readonly kind: 'lost'; readonly sinceMs: number; readonly why: string };

interface Hello {
  readonly boot: string;
  readonly version: string;
  readonly now: string;
  readonly role: string;
}

const SILENT_MS = 40_000;
const HIDDEN_MS = 30_000;
const POLL_MS = 10_000;
/** When a daemon that has just started has all of its rows. */
const SETTLED_MS = 5000;
const ATTEMPTS = 40;
const ATTEMPT_MS = 250;
const POLLS = 6;
const FIRST_MS = 500;
const LONGEST_MS = 10_000;
const LONGEST_OF_A_RESTART_MS = 3000;
const RESTART_MS = 30_000;

export const connection = signal<Connection>({ kind: 'connecting' });
/** Of the daemon that answers, and when this page met it, by the daemon's clock. Another boot: another process. */
export const daemonIs = signal<{ readonly boot: string; readonly version: string; readonly metAt: number } | null>(
  null,
);
/** Grows whenever what was read before may be old: a new boot, or a connection that was gone. */
export const freshness = signal(0);

/** Of the overview that is being read. */
export const loadedBytes = signal(0);

let heardMs = Date.now();
let lastEventId: string | null = null;
let etag: string | null = null;
/** With which the stream was opened. */
let sentToken: string | null = null;
let wake: (() => void) | null = null;
let current: Attempt | null = null;
/** CONSOLE-CONNECTION-3. */
let isResting = false;

/** Tries now, instead of waiting. */
export const tryNow = (): void => wake?.();

/** Runs as long as the page does. */
export async function keepConnected(): Promise<never> {
  restWhileHidden();
  // A new token is tried immediately.
  effect(() => {
    if (left.value === null) tryNow();
  });
  let failures = 0;
  for (;;) {
    while (isResting || left.value !== null) {
      if (isResting) connection.value = { kind: 'resting' };
      await sleep(null);
    }
    const begunMs = Date.now();
    const outcome = await once();
    if (outcome === 'over_the_limit') {
      await poll();
      continue;
    }
    if (isResting) continue;
    failures = heardMs > begunMs ? 0 : failures + 1;
    const lostMs = Date.now() - heardMs;
    const longest = lostMs < RESTART_MS ? LONGEST_OF_A_RESTART_MS : LONGEST_MS;
    await sleep(Math.random() * Math.min(longest, FIRST_MS * 2 ** Math.min(failures, 10)));
  }
}

interface Attempt {
  readonly signal: AbortSignal;
  /** Aborts what is still under way. */
  readonly end: () => void;
}

/** CONSOLE-CONNECTION-6. */
function watched(): Attempt {
  const controller = new AbortController();
  const begunMs = Date.now();
  const timer = setInterval(() => {
    if (Date.now() - Math.max(heardMs, begunMs) > SILENT_MS) controller.abort(new Error('The daemon is silent'));
  }, 1000);
  const end = (): void => {
    clearInterval(timer);
    controller.abort();
  };
  return { signal: controller.signal, end };
}

/** One stream, to its end. */
async function once(): Promise<'ended' | 'over_the_limit'> {
  const attempt = watched();
  const { signal } = attempt;
  current = attempt;
  let why = 'The connection ended';
  sentToken = token();
  try {
    const headers: Record<string, string> = lastEventId === null ? {} : { 'last-event-id': lastEventId };
    const response = await send('/admin/events', { headers, signal });
    if (!response.ok) {
      const problem = (await response.json().catch(() => null)) as { code?: string; detail?: string } | null;
      if (problem?.code === 'too_many_streams') return 'over_the_limit';
      why = problem?.detail ?? `The answer was ${response.status}`;
    } else if (response.body !== null) {
      for await (const event of serverEvents(response.body)) {
        heardMs = Date.now();
        if (event === null) continue;
        if (event.id !== null) lastEventId = event.id;
        if (event.event === 'hello') await greet(JSON.parse(event.data) as Hello, signal);
        else take(event);
      }
    }
  } catch (error) {
    why = problemOf(error).detail;
  } finally {
    attempt.end();
  }
  if (!isResting && left.value === null && connection.value.kind !== 'lost')
    connection.value = { kind: 'lost', sinceMs: heardMs, why };
  return 'ended';
}

/** CONSOLE-CONNECTION-5. */
function take({ event, data, id }: ServerEvent): void {
  try {
    put(event, JSON.parse(data), id ?? '');
  } catch (error) {
    reportError(error);
  }
}

function put(event: string, data: unknown, id: string): void {
  switch (event) {
    case 'rows':
      return changeRows(data as BoardTuple[]);
    case 'rows_added':
      return addRows(data as BoardEntry[]);
    case 'rows_removed':
      return removeRows(data as number[]);
    case 'summary':
      summary.value = data as Summary;
      return;
    case 'daemon':
      daemon.value = data as DaemonNews;
      return;
    case 'event':
      return putEvent({ ...(data as Parameters<typeof putEvent>[0]), n: id });
    case 'gap':
      gap.value = data as NonNullable<typeof gap.value>;
      return;
    case 'bye':
      if ((data as { reason: string }).reason === 'unauthenticated') refused(sentToken, Date.now());
  }
}

/** CONSOLE-CONNECTION-1. */
async function greet({ boot, version, now, role }: Hello, signal: AbortSignal): Promise<void> {
  setClock(now);
  const isOther = daemonIs.value?.boot !== boot;
  if (isOther) {
    daemonIs.value = { boot, version, metAt: nowMs.peek() };
    etag = null;
  }
  await readOverview(signal, isOther);
  if (isOther) setTimeout(() => readOverview(signal).catch(() => undefined), SETTLED_MS);
  if (whoami.value?.role !== role) await readWhoami(signal);
  if (isResting) return;
  connection.value = { kind: 'live' };
  freshness.value++;
}

async function readOverview(signal: AbortSignal, isOfOtherBoot = false): Promise<void> {
  const answer = await settledOverview(signal);
  heardMs = Date.now();
  if (answer.status === 304) return;
  // What was missing is read once more, whether anything has changed or not.
  etag = isOfOtherBoot ? null : answer.etag;
  setClock(answer.body.now);
  putOverview(answer.body, isOfOtherBoot && answer.body.columns.k.length < rowCount());
}

/** A daemon that has just started has no rows yet: what is on the page stays until it has read its registry. */
async function settledOverview(signal: AbortSignal) {
  const headers: Record<string, string> = etag === null ? {} : { 'if-none-match': etag };
  const onBytes = (bytes: number) => {
    heardMs = Date.now();
    loadedBytes.value = bytes;
  };
  for (let attempt = 1; ; attempt++) {
    const answer = await request<Overview>('/admin/overview', { headers, expect: [304], onBytes, signal });
    if (answer.status === 304 || answer.body.revision !== null || attempt === ATTEMPTS) return answer;
    await new Promise((resolve) => setTimeout(resolve, ATTEMPT_MS));
  }
}

/** Who this is; without a valid token, `left` says so. */
export async function readWhoami(signal?: AbortSignal): Promise<void> {
  try {
    whoami.value = (await request<Whoami>('/admin/whoami', { signal })).body;
    left.value = null;
  } catch (error) {
    if (!(error instanceof ApiError) || error.problem.status !== 401) return;
    if (left.value === null) forget('never');
  }
}

/** CONSOLE-CONNECTION-4. Returns after a minute, so that a stream is tried again. */
async function poll(): Promise<void> {
  for (let i = 0; i < POLLS && left.value === null && !document.hidden; i++) {
    const attempt = watched();
    try {
      await readOverview(attempt.signal);
      connection.value = { kind: 'polling' };
    } catch (error) {
      connection.value = { kind: 'lost', sinceMs: heardMs, why: problemOf(error).detail };
    } finally {
      attempt.end();
    }
    await sleep(POLL_MS);
  }
}

/** CONSOLE-CONNECTION-3. Also of a tab that was opened behind another one, which never becomes hidden: it is. */
function restWhileHidden(): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const rest = (): void => {
    isResting = true;
    connection.value = { kind: 'resting' };
    current?.end();
  };
  const look = (): void => {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(rest, HIDDEN_MS);
    else {
      isResting = false;
      tryNow();
    }
  };
  document.addEventListener('visibilitychange', look);
  look();
}

/** `ms` null: until tryNow(). */
function sleep(ms: number | null): Promise<void> {
  return new Promise((resolve) => {
    const timer = ms === null ? undefined : setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      wake = null;
      resolve();
    }
    wake = done;
  });
}
