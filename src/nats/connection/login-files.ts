// Checks the files that the configuration names for NATS when a daemon starts, so that the operator sees an error immediately. Later
// they are read at each connect, and an error is only logged.
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { credsAuthenticator, nkeys } from '#@nats-io/nats-core';
import type { ConnectionSettings } from './connection-options.js';

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

type LoginFiles = Pick<ConnectionSettings, 'nkeySeedFile' | 'credsFile' | 'tlsCaFile' | 'tlsCertFile' | 'tlsKeyFile'>;

/** One sentence per file with an error; none shows the content of a file. */
export function loginFileProblems(files: LoginFiles): string[] {
  const { nkeySeedFile, credsFile, tlsCaFile, tlsCertFile, tlsKeyFile } = files;
  return [
    problemOf(nkeySeedFile, 'an nkey seed of a user', (bytes) => {
      const seed = Buffer.from(bytes.toString('utf8').trim());
      if (!nkeys.fromSeed(seed).getPublicKey().startsWith('U')) throw new Error('it is no seed of a user');
    }),
    problemOf(credsFile, 'credentials of a user, a JWT and an nkey seed', (bytes) =>
      credsAuthenticator(bytes)('nonce'),
    ),
    problemOf(tlsCaFile, 'certificates in PEM', (ca) => {
      // Node's TLS ignores certificates that it cannot parse.
      const certificates = ca.toString('latin1').match(CERTIFICATE) ?? [];
      if (certificates.length === 0) throw new Error('it has none');
      for (const certificate of certificates) new X509Certificate(certificate);
    }),
    problemOf(tlsCertFile, `a certificate in PEM that belongs to the key in ${tlsKeyFile}`, (cert) =>
      createSecureContext({ cert, ...(tlsKeyFile ? { key: readFileSync(tlsKeyFile) } : {}) }),
    ),
  ].filter((problem) => problem !== null);
}

function problemOf(path: string | null | undefined, expected: string, use: (bytes: Buffer) => unknown): string | null {
  if (!path) return null;
  try {
    use(readFileSync(path));
    return null;
  } catch (error) {
    return `${path}: expected ${expected}: ${(error as Error).message.split('\n', 1)[0]}`;
  }
}
