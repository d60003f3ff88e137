// Logins for a nats-server, as an operator would make them: nkeys, JWTs with their chain of trust, certificates.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { nkeys } from '#@nats-io/nats-core';

type KeyPair = ReturnType<typeof nkeys.createUser>;

const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const seedOf = (pair: KeyPair): string => Buffer.from(pair.getSeed()).toString();

function jwt(issuer: KeyPair, subject: KeyPair, name: string, nats: Readonly<Record<string, unknown>>): string {
  const payload = { jti: name, iat: 1_700_000_000, iss: issuer.getPublicKey(), name, sub: subject.getPublicKey() };
  const signed = `${encoded({ typ: 'JWT', alg: 'ed25519-nkey' })}.${encoded({ ...payload, nats: { version: 2, ...nats } })}`;
  return `${signed}.${Buffer.from(issuer.sign(Buffer.from(signed))).toString('base64url')}`;
}

/** A user with a chain of trust of its own: what the server is configured with, and the credentials file that it accepts. */
export function jwtLogin(): { readonly config: string; readonly creds: string } {
  const [operator, account, user] = [nkeys.createOperator(), nkeys.createAccount(), nkeys.createUser()];
  const unlimited = { subs: -1, data: -1, payload: -1, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 };
  const accountJwt = jwt(operator, account, 'account', { type: 'account', limits: unlimited });
  const userJwt = jwt(account, user, 'user', { type: 'user', subs: -1, data: -1, payload: -1, pub: {}, sub: {} });
  return {
    config: `operator: ${jwt(operator, operator, 'operator', { type: 'operator' })}
      resolver: MEMORY
      resolver_preload: { ${account.getPublicKey()}: ${accountJwt} }`,
    creds: [
      `-----BEGIN NATS USER JWT-----\n${userJwt}\n------END NATS USER JWT------\n`,
      `-----BEGIN USER NKEY SEED-----\n${seedOf(user)}\n------END USER NKEY SEED------\n`,
    ].join('\n'),
  };
}

export function nkeyLogin(): { readonly config: string; readonly seed: string } {
  const pair = nkeys.createUser();
  return { config: `authorization { users: [ { nkey: "${pair.getPublicKey()}" } ] }`, seed: `${seedOf(pair)}\n` };
}

/** Paths of a certificate that is its own authority, and of its key. */
export function selfSigned(
  directory: string,
  name: string,
  subject = 'IP:127.0.0.1',
): { readonly cert: string; readonly key: string } {
  const [cert, key] = [join(directory, `${name}-cert.pem`), join(directory, `${name}-key.pem`)];
  const made = spawnSync('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
    ...['-subj', `/CN=${name}`, '-addext', `subjectAltName=${subject}`, '-keyout', key, '-out', cert],
  ]);
  if (made.status !== 0) throw new Error(`openssl: ${made.stderr?.toString() ?? made.error}`);
  return { cert, key };
}
