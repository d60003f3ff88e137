// Secrets of one use and a short life: login codes and tickets for WebSockets. They live in memory alone.
//
// ONE-TIME-CODES-1. A code is taken once, and not after its time. However many are asked for, the oldest go beyond MAX_CODES.
import { tokenHash } from './token-text.js';

const MAX_CODES = 1000;
const CODE_BYTES = 18;

export class OneTimeCodes<Value> {
  /** By the hash of the code, so that the time of a search says nothing about a code. Oldest first. */
  readonly #open = new Map<string, { readonly value: Value; readonly untilMs: number }>();

  constructor(
    private readonly lifeMs: number,
    private readonly wall: () => number,
    private readonly randomBytes: (count: number) => Buffer,
  ) {}

  issue(value: Value): { readonly code: string; readonly expiresAtMs: number } {
    const code = this.randomBytes(CODE_BYTES).toString('base64url');
    const untilMs = this.wall() + this.lifeMs;
    this.#open.set(tokenHash(code), { value, untilMs });
    const [oldest] = this.#open.keys();
    if (this.#open.size > MAX_CODES && oldest !== undefined) this.#open.delete(oldest);
    return { code, expiresAtMs: untilMs };
  }

  /** null: it is unknown, used, or too old. `putBack`: as if it had not been taken. */
  take(code: string): { readonly value: Value; putBack(): void } | null {
    const key = tokenHash(code);
    const found = this.#open.get(key);
    if (found === undefined) return null;
    this.#open.delete(key);
    if (found.untilMs <= this.wall()) return null;
    return { value: found.value, putBack: () => this.#open.set(key, found) };
  }
}
