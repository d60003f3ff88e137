// A connection to NATS for one command: it is tried once, and not again when it is lost.
import type { NatsConnection } from '#@nats-io/nats-core';
import { connect } from '#@nats-io/transport-node';
import type { Config } from '../../config/config.js';
import { natsLogin } from '../../daemon/nats.js';
import { loginOptions } from '../../nats/connection/connection-options.js';
import { LoginContents } from '../../nats/connection/login-files.js';
import { silentLogger } from '../../telemetry/log.js';
import { CommandError, EXIT } from '../process/command-error.js';
import type { RunningDaemon } from './daemon-file.js';

const CONNECT_TIMEOUT_MS = 5000;

/** `daemon`: whose server is used if the configuration names none. `name`: of the connection, for who looks at the server. */
export async function connectOnce(
  config: Config,
  daemon: RunningDaemon | null,
  { name, inboxPrefix }: { readonly name: string; readonly inboxPrefix?: string | undefined },
): Promise<NatsConnection> {
  const url = daemon?.nats ?? config.nats_url ?? '';
  const { tlsCaFile, tlsCertFile, tlsKeyFile, ...login } = natsLogin(config);
  const tls = { tlsCaFile, tlsCertFile, tlsKeyFile };
  const settings = { url, ...tls, ...(daemon?.natsToken ? { token: daemon.natsToken } : login) };
  try {
    return await connect({
      // A problem with a file is the reason why it cannot connect.
      ...loginOptions(settings, new LoginContents(settings, silentLogger)),
      name,
      timeout: CONNECT_TIMEOUT_MS,
      reconnect: false,
      maxReconnectAttempts: 0,
      ...(inboxPrefix === undefined ? {} : { inboxPrefix }),
    });
  } catch (error) {
    throw new CommandError(EXIT.unreachable, `NATS at ${url} cannot be reached: ${(error as Error).message}`);
  }
}
