// Adaptive admission on a connection: sends the probes that measure how long calls wait, and reports when calls begin and cease to be refused.
//
// INTAKE-ADMISSION-1. A probe is sent after a call, at most one at a time and one in PROBE_GAP_MS: a daemon without calls sends none, but one after each
//     connect, which finds out what the way alone takes.
// INTAKE-ADMISSION-2. An episode is reported when it begins, with the first call that is refused, and when it ends, which is EPISODE_MS after the last one.
// INTAKE-ADMISSION-3. A loss of the connection ends the measurement, and not the episode: what was measured on one connection refuses nothing on the next.
import type { Clock } from '../../actors/ports/clock.js';
import type { InvocationError } from '../../domain/registry/errors.js';
import { AdaptiveAdmission } from '../../domain/routing/adaptive-admission.js';
import type { BrokerConnection } from '../connection/connection.js';

/** A lower target needs more of them. */
const PROBE_GAP_MS = 25;
const EPISODE_MS = 10_000;
/** When a refused call may be made again: until then an overload that is over would be noticed. */
const RETRY_AFTER_MS = 1000;

/** An episode that has just begun, or has ended. */
export interface OverloadEdge {
  readonly isOver: boolean;
  readonly targetMs: number;
  /** How long calls wait now. */
  readonly queueDelayMs: number;
  /** Calls that were refused in the episode. */
  readonly refused: number;
}

interface AdmissionCounts {
  /** An episode is reported and not over. */
  readonly isOverloaded: boolean;
  /** Since the process began. */
  readonly refused: number;
  /** Of the calls of the last second, 0..1. */
  readonly refusedShare: number;
  readonly queueDelayMs: number;
}

interface IntakeAdmissionDeps {
  readonly connection: Pick<BrokerConnection, 'connected' | 'onState' | 'roundTrip'>;
  readonly clock: Clock;
  /** How long the event loop has been idle, in milliseconds since any moment. */
  readonly idleMs: () => number;
  readonly targetMs: number;
  /** Must not throw. */
  readonly onEdge: (edge: OverloadEdge) => void;
}

export class IntakeAdmission {
  /** What a refused call is answered with. */
  readonly refusal: InvocationError;
  readonly #deps: IntakeAdmissionDeps;
  readonly #admission: AdaptiveAdmission;
  readonly #gapMs: number;
  /** Infinity: one is in flight. */
  #nextProbeMs = Number.NEGATIVE_INFINITY;
  /** Grows when a probe in flight no longer counts. */
  #generation = 0;
  #timer: unknown = null;
  #lastRefusedMs = 0;
  #refusedBefore = 0;

  constructor(deps: IntakeAdmissionDeps) {
    const { connection, targetMs } = deps;
    this.#deps = deps;
    this.#admission = new AdaptiveAdmission(targetMs);
    this.#gapMs = Math.min(PROBE_GAP_MS, targetMs / 2);
    this.refusal = {
      code: 'overloaded',
      message: `more calls arrive than the daemon can serve: they wait for longer than ${targetMs} ms (admission_target_ms)`,
      retryAfterMs: RETRY_AFTER_MS,
      details: { reason: 'admission' },
    };
    connection.onState((state) => {
      if (state === 'connected') this.#probe(deps.clock.now());
      else this.#lose();
    });
    if (connection.connected) this.#probe(deps.clock.now());
  }

  /** To be asked once for each call. True: it is refused. */
  refuses(nowMs: number): boolean {
    const isRefused = this.#admission.refuses(nowMs, this.#deps.idleMs);
    if (isRefused) this.#refused(nowMs);
    if (nowMs >= this.#nextProbeMs) this.#probe(nowMs);
    return isRefused;
  }

  counts(): AdmissionCounts {
    const nowMs = this.#deps.clock.now();
    return {
      isOverloaded: this.#timer !== null,
      refused: this.#admission.refused,
      refusedShare: this.#admission.share(nowMs),
      queueDelayMs: this.#admission.delayMs(nowMs, this.#deps.idleMs()),
    };
  }

  /** No end of an episode is reported any more. */
  stop(): void {
    this.#deps.clock.clearTimeout(this.#timer);
    this.#timer = null;
  }

  #probe(nowMs: number): void {
    const { connection, clock, idleMs } = this.#deps;
    if (!connection.connected) return;
    const generation = this.#generation;
    this.#nextProbeMs = Number.POSITIVE_INFINITY;
    this.#admission.sent(nowMs, idleMs());
    void connection.roundTrip().then((isAnswered) => {
      if (generation !== this.#generation) return;
      if (!isAnswered) return this.#lose();
      const answeredMs = clock.now();
      this.#admission.answered(answeredMs, idleMs());
      this.#nextProbeMs = nowMs + this.#gapMs;
    });
  }

  /** INTAKE-ADMISSION-3. */
  #lose(): void {
    this.#generation += 1;
    this.#nextProbeMs = Number.NEGATIVE_INFINITY;
    this.#admission.lost();
  }

  #refused(nowMs: number): void {
    this.#lastRefusedMs = nowMs;
    if (this.#timer !== null) return;
    this.#refusedBefore = this.#admission.refused - 1;
    this.#endLater(EPISODE_MS);
    this.#report(false, nowMs);
  }

  #endLater(ms: number): void {
    this.#timer = this.#deps.clock.setTimeout(() => {
      const nowMs = this.#deps.clock.now();
      const leftMs = this.#lastRefusedMs + EPISODE_MS - nowMs;
      if (leftMs > 0) return this.#endLater(leftMs);
      this.#timer = null;
      this.#report(true, nowMs);
    }, ms);
  }

  #report(isOver: boolean, nowMs: number): void {
    const { targetMs, idleMs, onEdge } = this.#deps;
    const refused = this.#admission.refused - this.#refusedBefore;
    onEdge({ isOver, targetMs, queueDelayMs: Math.round(this.#admission.delayMs(nowMs, idleMs())), refused });
  }
}
