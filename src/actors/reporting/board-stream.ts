// What one stream of live updates still has to send: rows that changed, events after the last one sent, and when it is too slow.
//
// BOARD-STREAM-1. Of a row the newest values are sent, however often it changed: a stream keeps a bit for each row, so that its memory does
//     not depend on how slow its client is.
// BOARD-STREAM-2. Events are read from the ring as the client takes them. What is gone from there is reported as a gap, also while streaming.
// BOARD-STREAM-3. A stream with more than MAX_WAITING bytes waiting is skipped, and ended once that has lasted SLOW_MS, or more than
//     MAX_REMOVED_WAITING rows were removed meanwhile: removed rows are the one thing whose memory grows.
import type { ByeReason, LiveRequest, LiveSink } from '../ports/live.js';
import type { BoardReader } from './board.js';
import type { BoardRow } from './board-row.js';
import type { EventRing } from './event-ring.js';
import { PlaceSet } from './place-set.js';

const MAX_WAITING = 256 * 1024;
const SLOW_MS = 30_000;
const PING_MS = 15_000;
/** Rows at a time. */
const MAX_ROWS = 500;
/** Events at a time. */
const MAX_EVENTS = 200;
/** Removed rows at a time. */
const MAX_REMOVED = 5000;
const MAX_REMOVED_WAITING = 20_000;

interface BoardStreamDeps {
  readonly request: LiveRequest;
  readonly sink: LiveSink;
  readonly boot: string;
  readonly events: EventRing;
  readonly rowAt: (place: number) => BoardRow | null;
}

export class BoardStream implements BoardReader {
  readonly #deps: BoardStreamDeps;
  readonly #changed = new PlaceSet();
  readonly #added = new PlaceSet();
  #removed: number[] = [];
  /** Number of the last event that was sent or is not for it. */
  #cursor: number;
  /** What was sent last of `summary` and `daemon`. */
  readonly #sent = new Map<string, string>();
  #slowSinceMs: number | null = null;
  #pingedMs: number;
  #isEnded = false;

  constructor(deps: BoardStreamDeps, nowMs: number) {
    this.#deps = deps;
    this.#pingedMs = nowMs;
    this.#cursor = deps.events.last;
  }

  get principal(): string | null {
    return this.#deps.request.principal;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Bytes that it keeps of rows. */
  get byteLength(): number {
    return this.#changed.byteLength + this.#added.byteLength + this.#removed.length * 8;
  }

  changed(row: BoardRow): void {
    if (this.#isOfInterest(row)) this.#changed.add(row.place);
  }

  added(row: BoardRow): void {
    if (this.#isOfInterest(row)) this.#added.add(row.place);
  }

  removed(row: BoardRow): void {
    if (!this.#isOfInterest(row)) return;
    this.#changed.delete(row.place);
    this.#added.delete(row.place);
    this.#removed.push(row.k);
  }

  /** `hello`, then what the client missed since the last event that it has. */
  begin(hello: object): void {
    const { boot, events, request, sink } = this.#deps;
    sink.send('hello', JSON.stringify(hello));
    if (request.lastEventId === null || !request.topics.has('events')) return;
    const [, itsBoot, number] = /^(.+)-(\d{1,15})$/.exec(request.lastEventId) ?? [];
    const n = Number(number);
    // Of another process, or a number that was never given.
    if (itsBoot !== boot || n > events.last) sink.send('gap', JSON.stringify({ missed: null, since: null }));
    else this.#cursor = n;
  }

  /** Sends `data` unless the same was sent last. */
  show(topic: 'summary' | 'daemon', data: string): void {
    if (!this.#deps.request.topics.has(topic) || this.#sent.get(topic) === data || this.#isWaiting) return;
    this.#sent.set(topic, data);
    this.#deps.sink.send(topic, data);
  }

  /** BOARD-STREAM-2. True: there are more, and its client takes them. */
  sendEvents(): boolean {
    const { request, events, sink, boot } = this.#deps;
    if (this.#isEnded || this.#isWaiting || !request.topics.has('events')) return false;
    const gap = events.gapAfter(this.#cursor);
    if (gap !== null) {
      sink.send('gap', JSON.stringify(gap));
      this.#cursor = events.first - 1;
    }
    for (let left = MAX_EVENTS; left > 0 && !this.#isWaiting; left--) {
      const event = events.get(this.#cursor + 1);
      if (event === undefined) return false;
      this.#cursor = event.n;
      const { kind, extensionId } = event;
      if (request.kinds !== null && !request.kinds.has(kind)) continue;
      if (request.extensionId !== null && request.extensionId !== extensionId) continue;
      sink.send('event', event.json, `${boot}-${event.n}`);
    }
    return !this.#isWaiting && this.#cursor < events.last;
  }

  /** Called four times a second: rows, pings, and its end if it is too slow. */
  turn(nowMs: number): void {
    if (this.#isEnded) return;
    // BOARD-STREAM-3.
    if (!this.#isWaiting) this.#slowSinceMs = null;
    else {
      this.#slowSinceMs ??= nowMs;
      const isTooSlow = nowMs - this.#slowSinceMs >= SLOW_MS || this.#removed.length > MAX_REMOVED_WAITING;
      if (isTooSlow) this.bye('slow');
      return;
    }
    this.#sendRows();
    this.sendEvents();
    if (nowMs - this.#pingedMs < PING_MS) return;
    this.#pingedMs = nowMs;
    this.#deps.sink.ping();
  }

  /** Its token may have been revoked. */
  endUnlessValid(): void {
    if (!this.#deps.request.isValid()) this.bye('unauthenticated');
  }

  bye(reason: ByeReason): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#deps.sink.send('bye', JSON.stringify({ reason }));
    this.#deps.sink.end();
  }

  /** Ends without a word: its client is gone. */
  drop(): void {
    this.#isEnded = true;
  }

  /** Ends after a fault: its client sees that, and connects again. */
  fail(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#deps.sink.end();
  }

  get #isWaiting(): boolean {
    return this.#deps.sink.waitingBytes > MAX_WAITING;
  }

  #isOfInterest(row: BoardRow): boolean {
    const { topics, extensionId } = this.#deps.request;
    return topics.has('rows') && (extensionId === null || extensionId === row.id);
  }

  /** BOARD-STREAM-1. */
  #sendRows(): void {
    const { sink } = this.#deps;
    if (this.#removed.length > 0) {
      sink.send('rows_removed', JSON.stringify(this.#removed.slice(0, MAX_REMOVED)));
      this.#removed = this.#removed.slice(MAX_REMOVED);
    }
    const added = this.#take(this.#added, MAX_ROWS);
    for (const { place } of added) this.#changed.delete(place);
    if (added.length > 0) sink.send('rows_added', JSON.stringify(added.map(({ whole }) => whole)));
    const changed = this.#take(this.#changed, MAX_ROWS - added.length);
    if (changed.length > 0) sink.send('rows', `[${changed.map(({ tuple }) => tuple).join(',')}]`);
  }

  #take(places: PlaceSet, limit: number): BoardRow[] {
    const rows: BoardRow[] = [];
    while (rows.length < limit && places.size > 0) {
      const row = this.#deps.rowAt(places.take());
      if (row !== null) rows.push(row);
    }
    return rows;
  }
}
