// Slots of ten seconds, on the wall clock's full tens as it was at the start: at the beginning of each, what happened in the one before is
// sampled, for the extensions that had any.
//
// SLOTS-1. Sampling costs a call nothing but the comparison of a mark (DIRTY-SET-1): the counts that are sampled exist anyway.
// SLOTS-2. It is made in slices with pauses in between; what is left when the next slot begins is sampled in that one.
import type { Subscription } from '#rxjs';
import type { DirtyReader, DirtySet } from '../../domain/dirty-set.js';
import { RATE_SLOT_MS } from '../../domain/health/call-rates.js';
import type { Steps } from '../../domain/steps.js';
import { logUnexpected } from '../../telemetry/guard.js';
import type { Logger } from '../../telemetry/log.js';
import { after } from '../extension/actor-supervision.js';
import type { ExtensionRuntime } from '../extension/extension-runtime.js';
import { inSlices } from '../extension/slices.js';
import type { Clock, WallClock } from '../ports/clock.js';

const SLICE_MS = 1;
const PAUSE_MS = 8;

interface SlotsDeps {
  readonly dirty: DirtySet<ExtensionRuntime>;
  readonly clock: Clock;
  readonly wall: WallClock;
  readonly log: Logger;
  /** The slot before `slot` is over. True: it is to be sampled after `slot` as well, whether anything happens in it or not. */
  readonly sampling: (runtime: ExtensionRuntime, slot: number) => Steps<boolean>;
  /** After those that had any traffic are sampled. */
  readonly after: () => Steps<void>;
}

export class Slots {
  /** When slot 0 began, on the monotonic clock: with the epoch, so that six of them fill a minute of the wall clock. */
  readonly #originMs: number;
  readonly #changes: DirtyReader<ExtensionRuntime>;
  #timer: Subscription | null = null;
  #sampling: Subscription | null = null;

  constructor(private readonly deps: SlotsDeps) {
    this.#originMs = deps.clock.now() - deps.wall();
    this.#changes = deps.dirty.read();
  }

  /** Number of the slot that is running. */
  get current(): number {
    return Math.floor((this.deps.clock.now() - this.#originMs) / RATE_SLOT_MS);
  }

  /** How much of it is over, ms. */
  get passedMs(): number {
    return this.deps.clock.now() - this.#originMs - this.current * RATE_SLOT_MS;
  }

  start(): void {
    this.#timer = after(RATE_SLOT_MS - this.passedMs, this.deps.clock).subscribe(() => {
      this.#begin();
      this.start();
    });
  }

  stop(): void {
    this.#timer?.unsubscribe();
    this.#sampling?.unsubscribe();
    this.#changes.close();
  }

  #begin(): void {
    // SLOTS-2.
    if (this.#sampling !== null && !this.#sampling.closed) return;
    const { clock, log } = this.deps;
    this.#sampling = inSlices(this.#sampleAll(), clock, SLICE_MS, PAUSE_MS).subscribe({
      error: (error: unknown) => logUnexpected(log, 'sampling', error),
    });
  }

  *#sampleAll(): Steps<void> {
    for (let left = this.#changes.size; left > 0; left--) {
      const runtime = this.#changes.take();
      if (runtime === undefined) return;
      try {
        if (yield* this.deps.sampling(runtime, this.current)) this.#changes.queue(runtime);
      } catch (error) {
        logUnexpected(this.deps.log, `sampling ${runtime.id}`, error);
      }
      yield;
    }
    yield* this.deps.after();
  }
}
