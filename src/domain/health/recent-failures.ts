// The last failures of one target: what an operator looks at to see how it fails.
//
// RECENT-FAILURES-1. Memory is fixed: 32 failures at most, with messages of at most 200 characters, and none of a payload.

type FailureKind = 'timeout' | 'error' | 'no_responders';

export interface Failure {
  /** Epoch ms, by the wall clock as it failed: it says the same each time it is read. */
  readonly atMs: number;
  readonly kind: FailureKind;
  /** The service error code that the extension answered with; null: it did not answer. */
  readonly code: number | null;
  readonly message: string | null;
  /** null: the version has no instances of its own. */
  readonly instanceId: string | null;
  /** Counts from 1; null: an active check. */
  readonly attempt: number | null;
  readonly durationMs: number;
}

const MAX_FAILURES = 32;
const MAX_MESSAGE = 200;

export class RecentFailures {
  readonly #failures: Failure[] = [];
  /** Where the next one goes, once there are as many as are kept. */
  #next = 0;

  add(failure: Failure): void {
    const { message } = failure;
    // A copy: a slice would keep the whole message that it is part of.
    const short =
      message === null || message === '' ? null : Buffer.from([...message].slice(0, MAX_MESSAGE).join('')).toString();
    const kept = { ...failure, message: short };
    if (this.#failures.length < MAX_FAILURES) this.#failures.push(kept);
    else this.#failures[this.#next] = kept;
    this.#next = (this.#next + 1) % MAX_FAILURES;
  }

  /** Newest first. */
  get all(): readonly Failure[] {
    const { length } = this.#failures;
    const before = [...this.#failures.slice(this.#next % length), ...this.#failures.slice(0, this.#next % length)];
    return length === 0 ? [] : before.reverse();
  }
}
