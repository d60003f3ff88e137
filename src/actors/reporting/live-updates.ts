// Streams of live updates: how many there are, and when each gets something.
//
// LIVE-UPDATES-1. At most MAX_STREAMS, and MAX_OF_TOKEN of one token.
// LIVE-UPDATES-2. A stream that fails is ended, and disturbs no other; nor does it disturb what publishes an event or changes a row.
// LIVE-UPDATES-3. Each stream has its turn in a slice of its own: however many there are, nothing holds the event loop for longer.
import { concatMap, type Subscription } from '#rxjs';
import type { RegistryEvent } from '../../domain/registry/events.js';
import type { Steps } from '../../domain/steps.js';
import { guarded, logUnexpected } from '../../telemetry/guard.js';
import type { Logger } from '../../telemetry/log.js';
import { after, every } from '../extension/actor-supervision.js';
import { inSlices } from '../extension/slices.js';
import type { Clock, WallClock } from '../ports/clock.js';
import type { LiveRequest, LiveSink, LiveSource } from '../ports/live.js';
import type { Board } from './board.js';
import { BoardStream } from './board-stream.js';
import { EventRing } from './event-ring.js';

const MAX_STREAMS = 64;
const MAX_OF_TOKEN = 8;
const TURN_MS = 250;
/** In turns that ran: the summary, the daemon's state and tokens are checked once a second, later if a turn takes longer than TURN_MS. */
const SUMMARY_TURNS = 4;

interface LiveUpdatesDeps {
  readonly board: Board;
  /** What `summary` says beside the summary of health. */
  readonly load: () => { readonly in_flight: number; readonly mass_failure: boolean };
  readonly revision: () => number | null;
  readonly boot: string;
  readonly clock: Clock;
  readonly wall: WallClock;
  readonly log: Logger;
}

/** What `hello` and `daemon` say of the daemon. */
interface DaemonAbout {
  readonly version: string;
  readonly state: () => object;
}

export class LiveUpdates implements LiveSource {
  readonly #deps: LiveUpdatesDeps;
  readonly #events: EventRing;
  /** With what ends its reading of the board. */
  readonly #streams = new Map<BoardStream, () => void>();
  #daemon: DaemonAbout = { version: '', state: () => ({}) };
  #turns: Subscription | null = null;
  #turn = 0;
  #inTurn: Subscription | null = null;
  #isSending = false;
  #isStopped = false;

  constructor(deps: LiveUpdatesDeps) {
    this.#deps = deps;
    this.#events = new EventRing(new Date(deps.wall()).toISOString());
  }

  /** Called once, before the first stream: what it says of the daemon is known only when all of it is wired. */
  describe(daemon: DaemonAbout): void {
    this.#daemon = daemon;
  }

  /** Number of the last event; 0 without one. */
  get lastEvent(): number {
    return this.#events.last;
  }

  /** Streams that are open. */
  get size(): number {
    return this.#streams.size;
  }

  /** Of those that are kept, oldest first. */
  lastEventsOf(extensionId: string, limit: number): RegistryEvent[] {
    return this.#events.lastOf(extensionId, limit);
  }

  /** An event was published. LIVE-UPDATES-2. */
  readonly add = (event: RegistryEvent): void => {
    this.#events.add(event);
    if (this.#streams.size > 0) this.#sendEvents();
  };

  open(request: LiveRequest, sink: LiveSink): ReturnType<LiveSource['open']> {
    const { board, boot, clock, wall, revision } = this.#deps;
    if (this.#isStopped) return 'stopping';
    if (this.#streams.size >= MAX_STREAMS) return 'too_many_streams';
    if (request.principal !== null && this.#countOf(request.principal) >= MAX_OF_TOKEN)
      return 'too_many_streams_of_token';
    const rowAt = (place: number) => board.at(place);
    const stream = new BoardStream({ request, sink, boot, events: this.#events, rowAt }, clock.now());
    this.#streams.set(stream, board.read(stream));
    this.#turns ??= every(TURN_MS, clock).subscribe(() => this.#everyTurn());
    const now = new Date(wall()).toISOString();
    const { version, state } = this.#daemon;
    this.#guarded(stream, () => {
      stream.begin({ boot, version, revision: revision(), now, role: request.role, seq: board.seq });
      stream.show('summary', this.#summary);
      stream.show('daemon', JSON.stringify(state()));
      if (stream.sendEvents()) this.#sendEvents();
    });
    return () => this.#drop(stream);
  }

  stop(): void {
    this.#isStopped = true;
    for (const stream of [...this.#streams.keys()]) {
      this.#guarded(stream, () => stream.bye('stopping'));
      this.#drop(stream);
    }
  }

  #countOf(principal: string): number {
    return [...this.#streams.keys()].filter((stream) => stream.principal === principal).length;
  }

  get #summary(): string {
    return JSON.stringify({ ...this.#deps.board.summary, ...this.#deps.load() });
  }

  /** LIVE-UPDATES-3. In the next turn of the event loop: thousands of breakers may open in one. */
  #sendEvents(): void {
    if (this.#isSending) return;
    this.#isSending = true;
    const { clock, log } = this.#deps;
    after(0, clock)
      .pipe(concatMap(() => inSlices(this.#sendingEvents(), clock)))
      .subscribe({
        error: (error: unknown) => {
          this.#isSending = false;
          logUnexpected(log, 'events of live updates', error);
        },
        complete: () => {
          this.#isSending = false;
        },
      });
  }

  *#sendingEvents(): Steps<void> {
    for (let isMore = true; isMore; ) {
      isMore = false;
      for (const stream of [...this.#streams.keys()]) {
        this.#guarded(stream, () => {
          if (stream.sendEvents()) isMore = true;
        });
        yield;
      }
    }
  }

  /** LIVE-UPDATES-3. */
  #everyTurn(): void {
    // The turn before is still in progress.
    if (this.#inTurn !== null && !this.#inTurn.closed) return;
    this.#turn++;
    const { clock, log } = this.#deps;
    this.#inTurn = inSlices(this.#turnOfEach(), clock).subscribe({
      error: (error: unknown) => logUnexpected(log, 'live updates', error),
    });
  }

  *#turnOfEach(): Steps<void> {
    const isSummaryDue = this.#turn % SUMMARY_TURNS === 0;
    const summary = isSummaryDue ? this.#summary : null;
    const state = isSummaryDue ? JSON.stringify(this.#daemon.state()) : null;
    for (const stream of [...this.#streams.keys()]) {
      this.#guarded(stream, () => {
        if (summary !== null) stream.show('summary', summary);
        if (state !== null) stream.show('daemon', state);
        if (isSummaryDue) stream.endUnlessValid();
        stream.turn(this.#deps.clock.now());
      });
      if (stream.isEnded) this.#drop(stream);
      yield;
    }
  }

  /** LIVE-UPDATES-2. */
  #guarded(stream: BoardStream, work: () => void): void {
    try {
      if (!stream.isEnded) work();
    } catch (error) {
      logUnexpected(this.#deps.log, 'a stream of live updates', error);
      guarded(this.#deps.log, 'the end of a stream of live updates', () => stream.fail())();
      this.#drop(stream);
    }
  }

  #drop(stream: BoardStream): void {
    stream.drop();
    this.#streams.get(stream)?.();
    this.#streams.delete(stream);
    if (this.#streams.size > 0) return;
    this.#turns?.unsubscribe();
    this.#turns = null;
  }
}
