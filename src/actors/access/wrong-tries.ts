// How many wrong tokens and codes came from each address within the last minute.
//
// WRONG-TRIES-1. Beyond MAX_TRIES within a minute an address is answered late, until it has rested for a minute. One that is right always passes.
// WRONG-TRIES-2. Memory is bounded: of MAX_ADDRESSES the one that was wrong first is forgotten.
import { isIPv6 } from 'node:net';

const MAX_TRIES = 10;
const WINDOW_MS = 60_000;
const MAX_ADDRESSES = 10_000;
/** What one subscriber has of IPv6 is a network of this many groups. */
const NETWORK_GROUPS = 4;

export class WrongTries {
  readonly #byAddress = new Map<string, { count: number; sinceMs: number }>();

  constructor(private readonly now: () => number) {}

  /** Counts one; true: there were too many. */
  isTooMany(address: string): boolean {
    const key = networkOf(address);
    const nowMs = this.now();
    const known = this.#byAddress.get(key);
    if (known === undefined || nowMs - known.sinceMs >= WINDOW_MS) {
      this.#byAddress.delete(key);
      this.#byAddress.set(key, { count: 1, sinceMs: nowMs });
      const [oldest] = this.#byAddress.keys();
      if (this.#byAddress.size > MAX_ADDRESSES && oldest !== undefined) this.#byAddress.delete(oldest);
      return false;
    }
    known.count++;
    return known.count > MAX_TRIES;
  }
}

function networkOf(address: string): string {
  if (!isIPv6(address) || address.includes('.')) return address;
  const [head = '', tail] = address.split('::');
  const groups = head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const missing = 8 - groups.length - after.length;
  const all = tail === undefined ? groups : [...groups, ...new Array<string>(missing).fill('0'), ...after];
  return all.slice(0, NETWORK_GROUPS).join(':');
}
