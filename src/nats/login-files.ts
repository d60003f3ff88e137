// Whether the files that the configuration names for NATS hold what they should: at a start, where whoever made a mistake looks.
// Later they are read at each connect, and what is wrong with them is logged.
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { credsAuthenticator, nkeys } from '#@nats-io/nats-core';
import type { ConnectionSettings } from './connection-options.js';

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

type LoginFiles = Pick<ConnectionSettings, 'nkeySeedFile' | 'credsFile' | 'tlsCaFile' | 'tlsCertFile' | 'tlsKeyFile'>;

/** A sentence for each that is wrong; none shows what a file holds. */
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
      // The TLS of Node ignores what it cannot read.
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
