// Connects: with the login as it is at each attempt, after a pause that grows with the attempts.
import type { NatsConnection } from '#@nats-io/nats-core';
import { connect, type NodeConnectionOptions } from '#@nats-io/transport-node';
import type { Logger } from '../../telemetry/log.js';
import { type ConnectionSettings, connectionOptions, reconnectDelayMs, serversOf } from './connection-options.js';
import { LoginContents } from './login-files.js';

export class Dialer {
  /** As configured: hosts and ports alone, for a log. */
  readonly servers: readonly string[];
  readonly contents: LoginContents;
  /** Pause before the next attempt. */
  delayMs = 0;
  #attempts = 0;

  constructor(
    private readonly settings: ConnectionSettings,
    log: Logger,
  ) {
    this.servers = serversOf(settings.url);
    this.contents = new LoginContents(settings, log);
  }

  /** Rejects if no server accepts. */
  async dial(others: NodeConnectionOptions = {}): Promise<NatsConnection> {
    return connect({ ...connectionOptions(this.settings, this.contents, () => this.delayMs), ...others });
  }

  /** nats.js asks for the delay several times per attempt, so it is computed once per attempt. */
  nextDelay(): void {
    this.delayMs = reconnectDelayMs(this.#attempts, this.settings.reconnectMaxMs, Math.random());
    this.#attempts += 1;
  }

  /** The next pause is the first again. */
  succeeded(): void {
    this.#attempts = 0;
    this.delayMs = 0;
  }
}
