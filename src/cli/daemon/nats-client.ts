// A connection to NATS for one command: it is tried once, and not again when it is lost.
import { readFileSync } from 'node:fs';
import {
  type Authenticator,
  credsAuthenticator,
  type NatsConnection,
  nkeyAuthenticator,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
} from '#@nats-io/nats-core';
import { connect } from '#@nats-io/transport-node';
import type { Config } from '../../config/config.js';
import { CommandError, EXIT } from '../process/command-error.js';
import type { RunningDaemon } from './daemon-file.js';

const CONNECT_TIMEOUT_MS = 5000;

/** `daemon`: whose server is used if the configuration names none. */
export async function connectOnce(config: Config, daemon: RunningDaemon | null): Promise<NatsConnection> {
  const url = daemon?.nats ?? config.nats_url ?? '';
  const authenticator = daemon?.natsToken ? tokenAuthenticator(daemon.natsToken) : authenticatorOf(config);
  const tls = tlsOf(config);
  try {
    return await connect({
      servers: url.split(',').map((server) => server.replace(/^[a-z]+:\/\//, '')),
      name: 'extreg invoke',
      timeout: CONNECT_TIMEOUT_MS,
      reconnect: false,
      maxReconnectAttempts: 0,
      ...(authenticator ? { authenticator } : {}),
      ...(tls !== null || url.includes('tls://') ? { tls: tls ?? {} } : {}),
    });
  } catch (error) {
    throw new CommandError(EXIT.unreachable, `NATS at ${url} cannot be reached: ${(error as Error).message}`);
  }
}

function authenticatorOf(config: Config): Authenticator | null {
  if (config.nats_creds_file) return credsAuthenticator(readFileSync(config.nats_creds_file));
  if (config.nats_nkey_seed_file)
    return nkeyAuthenticator(Buffer.from(readFileSync(config.nats_nkey_seed_file, 'utf8').trim()));
  if (config.nats_user) return usernamePasswordAuthenticator(config.nats_user, config.nats_password ?? '');
  return config.nats_token ? tokenAuthenticator(config.nats_token) : null;
}

function tlsOf(config: Config): { caFile?: string; certFile?: string; keyFile?: string } | null {
  const files = {
    ...(config.nats_tls_ca_file ? { caFile: config.nats_tls_ca_file } : {}),
    ...(config.nats_tls_cert_file ? { certFile: config.nats_tls_cert_file } : {}),
    ...(config.nats_tls_key_file ? { keyFile: config.nats_tls_key_file } : {}),
  };
  return Object.keys(files).length > 0 ? files : null;
}
