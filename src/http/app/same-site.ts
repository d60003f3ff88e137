// Which requests may come from an operator or a program, and which from a web page elsewhere.
//
// SAME-SITE-1. A Host header that is no loopback name, not the listening address and not among the names that were configured is refused: a DNS
//     name that an attacker points here (rebinding) would make that page same-origin with us.
// SAME-SITE-2. An Origin is refused unless it is the one that Host names, or the public one.
// SAME-SITE-3. What a browser says another site has caused is refused, apart from following a link to a page.
import type { IncomingHttpHeaders } from 'node:http';
import { quoted } from '../../domain/quoted.js';
import { HttpProblem } from './problem.js';

const LOOPBACK_NAMES: readonly string[] = ['localhost', '127.0.0.1', '[::1]'];

/** By which names this server is asked. */
export interface Site {
  /** In lower case, without ports. */
  readonly names: ReadonlySet<string>;
  readonly scheme: 'http' | 'https';
  /** Such as `https://registry.example`: that of a proxy before this server; null: there is none. */
  readonly publicOrigin: string | null;
}

/** `listening` as in a URL: IPv6 in brackets. `hosts`: further names. `publicUrl`: where a proxy before this server is asked. */
export function siteOf(
  listening: string,
  scheme: Site['scheme'] = 'http',
  hosts: readonly string[] = [],
  publicUrl: string | null = null,
): Site {
  const known = publicUrl === null ? null : new URL(publicUrl);
  const given = known === null ? hosts : [...hosts, known.hostname];
  const names = new Set([...LOOPBACK_NAMES, listening, ...given].map((name) => name.toLowerCase()));
  return { names, scheme, publicOrigin: known?.origin ?? null };
}

/** Which of the checks a route does without. */
export interface Openness {
  /** Asked by whatever name: probes use the address of a pod. */
  readonly anyHost?: boolean | undefined;
  /** A page that links of other sites may lead to. */
  readonly isPage?: boolean | undefined;
}

/** null: the request may pass. */
export function refuseForeign(
  headers: IncomingHttpHeaders,
  { names, scheme, publicOrigin }: Site,
  { anyHost = false, isPage = false }: Openness = {},
): HttpProblem | null {
  const { host, origin } = headers;
  const name = host?.toLowerCase().replace(/:\d{1,5}$/, '');
  if (!anyHost && (name === undefined || !names.has(name)))
    return new HttpProblem(
      'host_not_allowed',
      `Host must be ${[...names].join(' or ')}, got ${shown(host)}; further names are allowed with http_hosts or http_public_url`,
    );
  const own = `${scheme}://${host?.toLowerCase()}`;
  if (origin !== undefined && ![own, publicOrigin].includes(origin.toLowerCase())) {
    const expected = publicOrigin === null || publicOrigin === own ? own : `${own} or ${publicOrigin}`;
    return new HttpProblem('origin_not_allowed', `Origin must be absent or ${expected}, got ${shown(origin)}`);
  }
  const isLink = isPage && headers['sec-fetch-mode'] === 'navigate';
  if (headers['sec-fetch-site'] === 'cross-site' && !isLink)
    return new HttpProblem(
      'origin_not_allowed',
      'a page of another site made this request (Sec-Fetch-Site: cross-site)',
    );
  return null;
}

const shown = (value: string | undefined): string => (value === undefined ? 'none' : quoted(value, 200));
