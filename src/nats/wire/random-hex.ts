// Random hexadecimal digits in small pieces, drawn from one large buffer so that a piece costs a slice and no system call.
import { randomBytes } from 'node:crypto';

const POOL_BYTES = 8192;

export type RandomHex = (digits: number) => string;

/** `digits` lower-case hexadecimal characters, unpredictable; at most 2 * POOL_BYTES at a time. */
export function createRandomHex(fill: (bytes: number) => Buffer = randomBytes): RandomHex {
  let pool = '';
  let used = 0;
  return (digits) => {
    if (used + digits > pool.length) {
      pool = fill(POOL_BYTES).toString('hex');
      used = 0;
    }
    const start = used;
    used += digits;
    return pool.slice(start, used);
  };
}
