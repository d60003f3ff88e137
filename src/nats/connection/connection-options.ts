// From the daemon's settings to the options of nats.js: addresses, credentials, time limits.
//
// CONNECTION-OPTIONS-1. Files are read again at each attempt to connect, so that a rotated one is used.
// CONNECTION-OPTIONS-2. It never gives up, also not after two refusals of the same credentials.
// CONNECTION-OPTIONS-3. A server that has not answered for 6 s is left: one that stands still for less loses no call, and if there are
//     several, one that hangs permanently costs no more than that.
import { readFileSync } from 'node:fs';
import {
  type Authenticator,
  credsAuthenticator,
  nkeyAuthenticator,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
} from '#@nats-io/nats-core';
import type { NodeConnectionOptions } from '#@nats-io/transport-node';
import { INBOX_PREFIX } from '../wire/subjects.js';

const CONNECT_TIMEOUT_MS = 5000;
/** Often, so that a server that stands still is noticed while the attempts that it delays are in flight. */
const PING_INTERVAL_MS = 250;
const MAX_UNANSWERED_PINGS = 24;

export interface ConnectionSettings {
  /** `nats://` or `tls://` addresses, several separated by commas; user and password or a token may stand within. */
  readonly url: string;
  /** Shown by the server's monitoring. */
  readonly name: string;
  readonly user?: string | null;
  readonly password?: string | null;
  readonly token?: string | null;
  readonly nkeySeedFile?: string | null;
  readonly credsFile?: string | null;
  readonly tlsCaFile?: string | null;
  readonly tlsCertFile?: string | null;
  readonly tlsKeyFile?: string | null;
  /** Longest wait between two attempts to connect, in ms; 1600 without it. A server of our own is back within milliseconds. */
  readonly reconnectMaxMs?: number;
}

/** `delayMs` is asked for the pause before the next attempt, several times per attempt. */
export function connectionOptions(settings: ConnectionSettings, delayMs: () => number): NodeConnectionOptions {
  const { servers, user, password, token, tls } = addresses(settings.url);
  const authenticators: Authenticator[] = [];
  const secret = settings.token ?? token;
  if (settings.credsFile) authenticators.push(credsAuthenticator(fileOf(settings.credsFile)));
  else if (settings.nkeySeedFile) authenticators.push(nkeyAuthenticator(seedOf(settings.nkeySeedFile)));
  else if (settings.user) authenticators.push(usernamePasswordAuthenticator(settings.user, settings.password ?? ''));
  else if (secret) authenticators.push(tokenAuthenticator(secret));
  else if (user) authenticators.push(usernamePasswordAuthenticator(user, password ?? ''));
  const files = {
    ...(settings.tlsCaFile ? { caFile: settings.tlsCaFile } : {}),
    ...(settings.tlsCertFile ? { certFile: settings.tlsCertFile } : {}),
    ...(settings.tlsKeyFile ? { keyFile: settings.tlsKeyFile } : {}),
  };
  return {
    servers,
    name: settings.name,
    ...(authenticators.length > 0 ? { authenticator: authenticators } : {}),
    ...(tls || Object.keys(files).length > 0 ? { tls: files } : {}),
    maxReconnectAttempts: -1,
    ignoreAuthErrorAbort: true,
    pingInterval: PING_INTERVAL_MS,
    maxPingOut: MAX_UNANSWERED_PINGS,
    timeout: CONNECT_TIMEOUT_MS,
    noAsyncTraces: true,
    inboxPrefix: INBOX_PREFIX,
    reconnectDelayHandler: delayMs,
  };
}

const FIRST_DELAY_MS = 50;
/** However long the server was away, its return is noticed within two seconds. */
const RECONNECT_MAX_MS = 1600;

/**
 * The pause before the next attempt to connect, in ms: doubles with each attempt up to the longest, and is half of that up to all of it,
 * so that many daemons do not return in one moment.
 * @param random 0 up to 1
 */
export function reconnectDelayMs(attempt: number, maxMs: number | undefined, random: number): number {
  const ceilingMs = Math.min(maxMs ?? RECONNECT_MAX_MS, FIRST_DELAY_MS * 2 ** Math.min(attempt, 20));
  return ceilingMs * (0.5 + random / 2);
}

/** Hosts and ports alone, for a log. */
export const serversOf = (url: string): readonly string[] => addresses(url).servers;

// CONNECTION-OPTIONS-1.
const fileOf = (path: string) => (): Uint8Array => readFileSync(path);
const seedOf = (path: string) => (): Uint8Array => Buffer.from(readFileSync(path, 'utf8').trim());

/** Takes a URL list apart: nats.js wants bare addresses, and the user, password or token as options. */
function addresses(url: string): {
  servers: string[];
  user: string | null;
  password: string | null;
  token: string | null;
  tls: boolean;
} {
  const servers: string[] = [];
  let user: string | null = null;
  let password: string | null = null;
  let token: string | null = null;
  let tls = false;
  for (const part of url.split(',')) {
    const [, scheme, info, address] = /^\s*(?:([a-z]+):\/\/)?(?:([^@/]*)@)?([^/]*)\/?\s*$/.exec(part) ?? [];
    if (!address) continue;
    servers.push(address.trim());
    if (scheme === 'tls') tls = true;
    if (!info) continue;
    const colon = info.indexOf(':');
    if (colon === -1) token = decodeURIComponent(info);
    else {
      user = decodeURIComponent(info.slice(0, colon));
      password = decodeURIComponent(info.slice(colon + 1));
    }
  }
  return { servers, user, password, token, tls };
}
