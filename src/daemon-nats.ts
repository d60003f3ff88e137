// The daemon's connection to NATS: to the server that the configuration names, else to one of its own.
import type { Config } from './config.js';
import { BrokerConnection } from './nats/connection.js';
import { findNatsServer, startEmbeddedServer } from './nats/embedded-server.js';
import type { Logger } from './telemetry/log.js';

/** There is no nats-server to start; `message` says what to do. */
export class NatsServerMissingError extends Error {
  override readonly name = 'NatsServerMissingError';
}

export interface Nats {
  readonly connection: BrokerConnection;
  readonly url: string;
  readonly token: string | null;
  /** It is the server of this daemon alone; nobody is on it but who can read our files. */
  readonly isEmbedded: boolean;
  stop(): Promise<void>;
}

export async function startNats(config: Config, log: Logger): Promise<Nats> {
  const name = `extreg-${process.pid}`;
  if (config.nats_url !== null) {
    const connection = BrokerConnection.open(
      {
        url: config.nats_url,
        name,
        user: config.nats_user,
        password: config.nats_password,
        token: config.nats_token,
        nkeySeedFile: config.nats_nkey_seed_file,
        credsFile: config.nats_creds_file,
        tlsCaFile: config.nats_tls_ca_file,
        tlsCertFile: config.nats_tls_cert_file,
        tlsKeyFile: config.nats_tls_key_file,
      },
      log,
    );
    return {
      connection,
      url: config.nats_url,
      token: config.nats_token,
      isEmbedded: false,
      stop: () => connection.close(),
    };
  }
  const binary = findNatsServer(config.data_dir, process.env);
  const named = process.env.NATS_SERVER_BIN;
  if (binary === null)
    throw new NatsServerMissingError(
      named
        ? `NATS_SERVER_BIN: expected an executable file, got '${named}'`
        : 'there is no nats-server on this machine: install one (apt-get install nats-server), or set NATS_URL',
    );
  const server = await startEmbeddedServer({ dataDir: config.data_dir, log, binary });
  const connection = BrokerConnection.open({ url: server.url, name, token: server.token, reconnectMaxMs: 250 }, log);
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
