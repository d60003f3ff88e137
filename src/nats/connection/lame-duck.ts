// Leaves a server that announces its shutdown (lame-duck mode) for another one of its cluster.
//
// LAME-DUCK-1. The server is left before it cuts the connection: both are listened to until nothing more can arrive from the old
//     one, so that no request and no reply is lost.
import { setTimeout as delay } from 'node:timers/promises';
import type { NatsConnection } from '#@nats-io/nats-core';
import type { Logger } from '../../telemetry/log.js';

const RETRY_MS = 500;
/** Until every server of the cluster knows of the new subscriptions. */
const OVERLAP_MS = 250;

/** The connection whose server is left. */
interface LeavingConnection {
  /** True: this client is in use, and connected. */
  isInUse(nc: NatsConnection): boolean;
  /** The first of these servers that accepts; null: none does, which is logged. */
  connectTo(servers: readonly string[]): Promise<NatsConnection | null>;
  /** All that is published and subscribed goes through this client from now on. */
  adopt(nc: NatsConnection): void;
}

export class LameDuck {
  /** The client that is drained; null: none. */
  retiring: NatsConnection | null = null;
  #leaving: NatsConnection | null = null;

  constructor(
    private readonly connection: LeavingConnection,
    private readonly configured: readonly string[],
    private readonly closing: AbortSignal,
    private readonly log: Logger,
  ) {}

  /** Goes on until another server is reached, the connection is cut or closing. */
  async leave(nc: NatsConnection): Promise<void> {
    if (this.#leaving === nc) return;
    this.#leaving = nc;
    this.log.warn({ event: 'nats_lame_duck', server: nc.getServer() });
    const isNeeded = (): boolean => this.connection.isInUse(nc) && !this.closing.aborted;
    while (isNeeded()) {
      const next = await this.connection.connectTo(this.#serversBeside(nc));
      if (next !== null && !isNeeded()) await next.close();
      else if (next !== null) return this.#move(nc, next);
      await delay(RETRY_MS, undefined, { signal: this.closing }).catch(() => undefined);
    }
  }

  /** The configured ones too, for later reconnects; the server that shuts down refuses new connections. */
  #serversBeside(nc: NatsConnection): string[] {
    const here = nc.getServer();
    const others = nc.getServers().flatMap(({ listen }) => (listen === here ? [] : [listen]));
    return [...new Set([...others, ...this.configured])];
  }

  async #move(from: NatsConnection, to: NatsConnection): Promise<void> {
    this.connection.adopt(to);
    this.retiring = from;
    this.log.info({ event: 'nats_moved', from: from.getServer(), server: to.getServer() });
    await to.flush().catch(() => undefined);
    await delay(OVERLAP_MS);
    await from.drain().catch(() => undefined);
    this.retiring = null;
  }
}
