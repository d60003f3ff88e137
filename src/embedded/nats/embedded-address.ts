// Port and token of the embedded nats-server, kept in the data directory, so that what was connected to it yesterday still is tomorrow.
//
// EMBEDDED-ADDRESS-1. Both are readable by the owner alone, and written whole or not at all.
// EMBEDDED-ADDRESS-2. What cannot be read as a port or a token counts as absent.
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const TOKEN_BYTES = 24;
const TOKEN = /^[A-Za-z0-9_-]{32}$/;
const MAX_PORT = 65_535;
/** Bits of a mode: the group and all other users. */
const FOR_OTHERS = 0o077;

export const portFile = (dataDir: string): string => join(dataDir, 'nats', 'port');
const tokenFile = (dataDir: string): string => join(dataDir, 'nats', 'token');

/** The port of an earlier start; null without one. */
export function keptPort(dataDir: string): number | null {
  const text = read(portFile(dataDir));
  const port = /^[0-9]{1,5}$/.test(text) ? Number(text) : 0;
  return port > 0 && port <= MAX_PORT ? port : null;
}

export const keepPort = (dataDir: string, port: number): void => write(portFile(dataDir), String(port));

/** The token of an earlier start, else a new one, which is kept. */
export function keptToken(dataDir: string): string {
  const kept = read(tokenFile(dataDir));
  const isKept = TOKEN.test(kept);
  if (isKept && (statSync(tokenFile(dataDir)).mode & FOR_OTHERS) === 0) return kept;
  // A file from a backup may have lost its mode.
  const token = isKept ? kept : randomBytes(TOKEN_BYTES).toString('base64url');
  write(tokenFile(dataDir), token);
  return token;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return '';
  }
}

/** EMBEDDED-ADDRESS-1. */
function write(file: string, text: string): void {
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(`${file}.new`, `${text}\n`, { mode: 0o600 });
  chmodSync(`${file}.new`, 0o600);
  renameSync(`${file}.new`, file);
}
