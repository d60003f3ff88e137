// Access to the admin API of a daemon: tokens of its database, its own token for commands beside it, and its certificate.
import { randomBytes, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Access } from '../actors/access/access.js';
import { TOKEN_BYTES, tokenText } from '../actors/access/token-text.js';
import type { TokenStore } from '../actors/ports/access.js';
import type { Clock } from '../actors/ports/clock.js';
import { type Config, ConfigError, isLoopback } from '../config/config.js';
import type { Certificate } from '../http/app/app.js';
import type { HttpServer } from '../http/server.js';
import { within } from '../telemetry/deadline.js';
import type { Logger } from '../telemetry/log.js';
import { tokenFile } from './token-file.js';
import { userName } from './user-name.js';

/** Beyond the time after which the file of the last time counts. */
const KNOWN_MS = 11_000;

/** `localToken`: for `daemon.json`. */
export function createAccess(
  config: Config,
  store: TokenStore,
  clock: Clock,
  log: Logger,
): { readonly access: Access; readonly localToken: string } {
  const localToken = tokenText(randomBytes(TOKEN_BYTES));
  const accessLog = log.child({ component: 'access' });
  const access = new Access({
    store,
    file: tokenFile(config.data_dir, accessLog),
    alwaysRequired: config.http_auth === 'required' || !isLoopback(config.http_host),
    local: { text: localToken, user: userName() },
    clock,
    wall: Date.now,
    randomBytes,
    log: accessLog,
  });
  return { access, localToken };
}

/** Rejects with ConfigError if other hosts would reach an API that no one may use. */
export async function requireToken(config: Config, access: Access, clock: Clock, log: Logger): Promise<void> {
  if (isLoopback(config.http_host)) return;
  await within(KNOWN_MS, access.known, undefined, clock);
  if (access.isKnown && !access.hasTokens)
    throw new ConfigError([
      `http_host: ${config.http_host} is reached from other hosts, and there is no access token; make one with 'extreg token create <name> --role admin', or listen on 127.0.0.1`,
    ]);
  if (config.http_tls_cert_file === null && config.http_public_url === null)
    log.warn({ event: 'http_without_tls', host: config.http_host, hint: 'tokens cross the network as they are' });
}

/** null: none is configured. Throws if one of the files cannot be read. */
export function readCertificate({ http_tls_cert_file: cert, http_tls_key_file: key }: Config): Certificate | null {
  return cert === null || key === null ? null : { cert: readFileSync(cert), key: readFileSync(key) };
}

/** The server's own certificate, PEM, without those above it; null: there is none. */
export const leafOf = (certificate: Certificate | null): string | null =>
  certificate === null ? null : new X509Certificate(certificate.cert).toString();

interface Reloadable {
  readonly access: Access;
  readonly http: HttpServer;
  /** Writes which certificate it has, for the commands beside the daemon. */
  readonly note: (certificate: Certificate | null) => void;
}

/** Each for itself: what cannot be read stays as it was. */
export async function reloadFiles(config: Config, { access, http, note }: Reloadable, log: Logger): Promise<void> {
  await access.reload().catch((error: Error) => {
    log.error({ event: 'reload_failed', what: 'access_tokens', error: error.message });
  });
  try {
    const certificate = readCertificate(config);
    if (certificate !== null) http.renewCertificate(certificate);
    note(certificate);
    const valid_until = certificate === null ? null : new X509Certificate(certificate.cert).validTo;
    log.info({ event: 'reloaded', certificate_valid_until: valid_until });
  } catch (error) {
    log.error({ event: 'reload_failed', what: 'http_certificate', error: (error as Error).message });
  }
}
