// The daemon's connection to NATS: to the server that the configuration names, else to the embedded one.
import type { Config } from '../config/config.js';
import { findNatsServer, startEmbeddedServer } from '../embedded/nats/embedded-server.js';
import { BrokerConnection } from '../nats/connection/connection.js';
import type { Logger } from '../telemetry/log.js';

/** There is no nats-server to start; `message` says what to do. */
export class NatsServerMissingError extends Error {
  override readonly name = 'NatsServerMissingError';
}

interface Nats {
  readonly connection: BrokerConnection;
  readonly url: string;
  readonly token: string | null;
  /** It is the server of this daemon alone; only clients that can read our files are on it. */
  readonly isEmbedded: boolean;
  stop(): Promise<void>;
}

/**
 * Path of the nats-server to start; null if the configuration names one that runs already. Throws NatsServerMissingError: asked before anything
 * is made, so that a start that cannot succeed fails within a moment.
 */
export function natsServerBinary(config: Config, env: NodeJS.ProcessEnv): string | null {
  if (config.nats_url !== null) return null;
  const binary = findNatsServer(config.data_dir, env);
  if (binary !== null) return binary;
  throw new NatsServerMissingError(
    env.NATS_SERVER_BIN
      ? `NATS_SERVER_BIN: expected an executable file, got '${env.NATS_SERVER_BIN}'`
      : 'there is no nats-server on this machine: install one (apt-get install nats-server), or set NATS_URL',
  );
}

/** Files of the login, as a connection wants them. */
export const natsFiles = (config: Config) => ({
  tokenFile: config.nats_token_file,
  passwordFile: config.nats_password_file,
  nkeySeedFile: config.nats_nkey_seed_file,
  credsFile: config.nats_creds_file,
  tlsCaFile: config.nats_tls_ca_file,
  tlsCertFile: config.nats_tls_cert_file,
  tlsKeyFile: config.nats_tls_key_file,
});

/** The whole login, as a connection wants it. */
export const natsLogin = (config: Config) => ({
  user: config.nats_user,
  password: config.nats_password,
  token: config.nats_token,
  ...natsFiles(config),
});

/** `binary`: from natsServerBinary. */
export async function startNats(config: Config, binary: string | null, log: Logger): Promise<Nats> {
  const name = `extreg-${process.pid}`;
  if (binary === null || config.nats_url !== null) {
    const url = config.nats_url ?? '';
    const connection = BrokerConnection.open({ url, name, isDirect: config.nats_direct_io, ...natsLogin(config) }, log);
    return {
      connection,
      url,
      token: config.nats_token,
      isEmbedded: false,
      stop: () => connection.close(),
    };
  }
  const server = await startEmbeddedServer({ dataDir: config.data_dir, log, binary });
  const connection = BrokerConnection.open(
    { url: server.url, name, token: server.token, reconnectMaxMs: 250, isDirect: config.nats_direct_io },
    log,
  );
  await connection.firstConnected;
  return {
    connection,
    url: server.url,
    token: server.token,
    isEmbedded: true,
    stop: async () => {
      await connection.close();
      await server.stop();
    },
  };
}
