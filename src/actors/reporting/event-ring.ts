// The last registry events, for streams that resume.
//
// EVENT-RING-1. Events are numbered from 1 in the order they were published. At most MAX_EVENTS and MAX_BYTES of them are kept; the oldest go first.
// EVENT-RING-2. What is missing of those after a number is known: how many, and from when on the audit trail has them.
import type { EventKind, RegistryEvent } from '../../domain/registry/events.js';

const MAX_EVENTS = 10_000;
const MAX_BYTES = 8 * 1024 * 1024;
/** The time of one event in so many is kept after it is gone. */
const MARK_EVERY = 1000;
const MAX_MARKS = 1000;

interface NumberedEvent {
  readonly n: number;
  readonly kind: EventKind;
  readonly extensionId: string;
  /** As it was published. */
  readonly json: string;
  /** Of `json` in UTF-8. */
  readonly bytes: number;
}

interface EventGap {
  readonly missed: number;
  /** ISO 8601: nothing that is missing is older. */
  readonly since: string;
}

export class EventRing {
  #events: NumberedEvent[] = [];
  /** Index of the oldest in `#events`. */
  #first = 0;
  #bytes = 0;
  #last = 0;
  readonly #marks: { readonly n: number; readonly at: string }[] = [];

  /** `startedAt`: ISO 8601; no event is older. */
  constructor(
    private readonly startedAt: string,
    private readonly limits: { readonly events: number; readonly bytes: number } = {
      events: MAX_EVENTS,
      bytes: MAX_BYTES,
    },
  ) {}

  /** Number of the newest; 0 without one. */
  get last(): number {
    return this.#last;
  }

  /** Number of the oldest that is kept; one more than `last` without any. */
  get first(): number {
    return this.#last - (this.#events.length - this.#first) + 1;
  }

  add(event: RegistryEvent): void {
    const json = JSON.stringify(event);
    this.#last++;
    if (this.#last % MARK_EVERY === 0) {
      this.#marks.push({ n: this.#last, at: event.at });
      if (this.#marks.length > MAX_MARKS) this.#marks.shift();
    }
    const bytes = Buffer.byteLength(json);
    this.#events.push({ n: this.#last, kind: event.event, extensionId: event.extension_id, json, bytes });
    this.#bytes += bytes;
    while (this.#events.length - this.#first > this.limits.events || this.#bytes > this.limits.bytes) this.#drop();
  }

  /** The event with this number; undefined: it is not kept any more, or not there yet. */
  get(n: number): NumberedEvent | undefined {
    return n < this.first ? undefined : this.#events[this.#first + n - this.first];
  }

  /** The last ones of one extension, oldest first. */
  lastOf(extensionId: string, limit: number): RegistryEvent[] {
    const found: RegistryEvent[] = [];
    for (let n = this.#last; n >= this.first && found.length < limit; n--) {
      const event = this.get(n);
      if (event?.extensionId === extensionId) found.push(JSON.parse(event.json));
    }
    return found.reverse();
  }

  /** EVENT-RING-2. Of the events after number `n`; null: all of them are kept. */
  gapAfter(n: number): EventGap | null {
    const missed = this.first - 1 - n;
    if (missed <= 0) return null;
    const mark = this.#marks.findLast((one) => one.n <= n);
    return { missed, since: mark?.at ?? this.startedAt };
  }

  #drop(): void {
    this.#bytes -= (this.#events[this.#first] as NumberedEvent).bytes;
    this.#first++;
    if (this.#first < 1000) return;
    this.#events = this.#events.slice(this.#first);
    this.#first = 0;
  }
}
