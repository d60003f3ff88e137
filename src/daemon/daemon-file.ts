// `<data dir>/daemon.json`: where commands of the same data directory find the daemon.
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const pathIn = (dataDir: string): string => join(dataDir, 'daemon.json');

interface DaemonAddresses {
  readonly http: string;
  /** Of the admin API, for commands beside the daemon. */
  readonly http_token: string;
  /** Its own certificate, PEM, which commands trust for this daemon alone; null: without TLS. */
  readonly http_certificate: string | null;
  readonly nats: string;
  readonly nats_token: string | null;
}

/** Tokens are secrets: the file is readable by its owner alone. */
export function writeDaemonFile(dataDir: string, daemon: DaemonAddresses): void {
  const path = pathIn(dataDir);
  // Moved into place, so that a reader finds all of it or nothing.
  writeFileSync(`${path}.new`, `${JSON.stringify({ pid: process.pid, ...daemon })}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** Without effect if there is none. */
export const removeDaemonFile = (dataDir: string): void => rmSync(pathIn(dataDir), { force: true });
