// From the daemon's settings to the options of nats.js: addresses, credentials, time limits.
//
// CONNECTION-OPTIONS-1. Files are read again at each attempt to connect, so that a rotated one is used (login-files.ts).
// CONNECTION-OPTIONS-2. It never gives up, also not after two refusals of the same credentials.
// CONNECTION-OPTIONS-3. A server that has not answered for 6 s is left: one that stands still for less loses no call, and if there are
//     several, one that hangs permanently costs no more than that.
// CONNECTION-OPTIONS-4. A server that is named by its address is accepted if its certificate has that address. (nats.js gives no name for
//     it, and Node then wants `localhost`.)
import { checkServerIdentity as checkIdentity, type PeerCertificate } from 'node:tls';
import {
  type Authenticator,
  credsAuthenticator,
  nkeyAuthenticator,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
} from '#@nats-io/nats-core';
import type { NodeConnectionOptions } from '#@nats-io/transport-node';
import { INBOX_PREFIX } from '../wire/subjects.js';
import type { LoginContents, LoginFiles } from './login-files.js';

const CONNECT_TIMEOUT_MS = 5000;
/** Often, so that a server that stands still is noticed while the attempts that it delays are in flight. */
const PING_INTERVAL_MS = 250;
const MAX_UNANSWERED_PINGS = 24;

export interface ConnectionSettings extends LoginFiles {
  /** `nats://` or `tls://` addresses, several separated by commas; user and password or a token may stand within. */
  readonly url: string;
  /** Shown by the server's monitoring. */
  readonly name: string;
  readonly user?: string | null;
  readonly password?: string | null;
  readonly token?: string | null;
  /** Longest wait between two attempts to connect, in ms; 1600 without it. A server of our own is back within milliseconds. */
  readonly reconnectMaxMs?: number;
  /** Messages are read from and written to the client's socket directly (BROKER-CLIENT-1); true without it. */
  readonly isDirect?: boolean;
}

/** `delayMs` is asked for the pause before the next attempt, several times per attempt. */
export function connectionOptions(
  settings: ConnectionSettings,
  contents: LoginContents,
  delayMs: () => number,
): NodeConnectionOptions {
  return {
    ...loginOptions(settings, contents),
    name: settings.name,
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

/** Where to connect to, and as whom. */
export function loginOptions(
  settings: Omit<ConnectionSettings, 'name'>,
  contents: LoginContents,
): Pick<NodeConnectionOptions, 'servers' | 'authenticator' | 'tls'> {
  const { servers, user, password, token, tls } = addresses(settings.url);
  const authenticator = authenticatorOf(settings, contents, { user, password, token });
  const { tlsCaFile, tlsCertFile, tlsKeyFile } = settings;
  const usesTls = tls || [tlsCaFile, tlsCertFile, tlsKeyFile].some(Boolean);
  return {
    servers,
    ...(authenticator === null ? {} : { authenticator }),
    ...(usesTls ? { tls: tlsOf(settings, contents) } : {}),
  };
}

function authenticatorOf(
  settings: Omit<ConnectionSettings, 'name'>,
  contents: LoginContents,
  inUrl: Login,
): Authenticator | null {
  // CONNECTION-OPTIONS-1.
  const bytes = (name: 'creds' | 'nkey') => () => contents.fresh(name)[0] as Buffer;
  const text = (name: 'token' | 'password') => () => String(contents.fresh(name)[0]);
  const { user, password } = settings;
  const token = settings.token ?? inUrl.token;
  if (settings.credsFile) return credsAuthenticator(bytes('creds'));
  if (settings.nkeySeedFile) return nkeyAuthenticator(bytes('nkey'));
  if (user) return usernamePasswordAuthenticator(user, settings.passwordFile ? text('password') : (password ?? ''));
  if (settings.tokenFile) return tokenAuthenticator(text('token'));
  if (token) return tokenAuthenticator(token);
  return inUrl.user ? usernamePasswordAuthenticator(inUrl.user, inUrl.password ?? '') : null;
}

type TlsOptions = NonNullable<NodeConnectionOptions['tls']>;

/** The client reads the members at each handshake, the certificate before its key. */
const tlsOf = ({ tlsCaFile, tlsCertFile, tlsKeyFile }: LoginFiles, contents: LoginContents): TlsOptions =>
  Object.defineProperties({ checkServerIdentity } as TlsOptions, {
    ...(tlsCaFile ? { ca: member(() => contents.fresh('ca')[0]) } : {}),
    ...(tlsCertFile ? { cert: member(() => contents.fresh('certificate')[0]) } : {}),
    ...(tlsKeyFile ? { key: member(() => contents.last('certificate')[1]) } : {}),
  });

const member = (get: () => Buffer | undefined): PropertyDescriptor => ({
  get: () => get()?.toString(),
  enumerable: true,
});

/** CONNECTION-OPTIONS-4. Node calls it as a member of the options of the handshake. */
function checkServerIdentity(
  this: { readonly servername?: string; readonly socket?: { readonly remoteAddress?: string } } | undefined,
  host: string,
  certificate: PeerCertificate,
): Error | undefined {
  const problem = checkIdentity(host, certificate);
  const address = this?.servername ? undefined : this?.socket?.remoteAddress;
  return problem === undefined || address === undefined ? problem : checkIdentity(address, certificate);
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

interface Login {
  readonly user: string | null;
  readonly password: string | null;
  readonly token: string | null;
}

/** Takes a URL list apart: nats.js wants bare addresses, and the user, password or token as options. */
function addresses(url: string): Login & { readonly servers: string[]; readonly tls: boolean } {
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
