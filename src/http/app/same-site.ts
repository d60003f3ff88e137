// Which requests may come from an operator or a program on this host, and which from a web page elsewhere.
//
// SAME-SITE-1. A Host header that is no loopback name and not the listening address is refused: a DNS name that an attacker
//     points here (rebinding) would make that page same-origin with us.
// SAME-SITE-2. An Origin is refused unless it is the one that Host names.
import { quoted } from '../../domain/quoted.js';
import type { HttpErrorCode } from './http-errors.js';

const LOOPBACK_NAMES: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);

export interface Refusal {
  readonly code: HttpErrorCode;
  readonly message: string;
}

/** null: the request may pass. `listening` as in a URL: IPv6 in brackets. */
export function refuseForeign(host: string | undefined, origin: string | undefined, listening: string): Refusal | null {
  const name = host?.toLowerCase().replace(/:\d{1,5}$/, '');
  if (name === undefined || !(LOOPBACK_NAMES.has(name) || name === listening))
    return {
      code: 'host_not_allowed',
      message: `Host must be ${[...new Set([...LOOPBACK_NAMES, listening])].join(' or ')}, got ${shown(host)}`,
    };
  if (origin !== undefined && origin.toLowerCase() !== `http://${host?.toLowerCase()}`)
    return { code: 'origin_not_allowed', message: `Origin must be absent or http://${host}, got ${shown(origin)}` };
  return null;
}

const shown = (value: string | undefined): string => (value === undefined ? 'none' : quoted(value, 200));
