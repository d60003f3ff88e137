// A real nats-server for one test file, on a free loopback port; it ends with the test process however that ends.
// Beside it what a test needs on the other side: a caller, and an extension that answers.

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Msg, MsgHdrs, NatsConnection, ServerInfo } from '#@nats-io/nats-core';
import { connect, type NodeConnectionOptions } from '#@nats-io/transport-node';
import { findNatsServer } from '../../src/embedded/nats/embedded-server.js';
import { type ServerProcess, startServerProcess, writeServerConfig } from '../../src/embedded/nats/server-process.js';
import { until } from './until.js';

const ANY_FREE_PORT = -1;

export class TestServer {
  readonly #clients: NatsConnection[] = [];
  #isFrozen = false;

  private constructor(
    private readonly binary: string,
    private readonly directory: string,
    private config: string,
    private process: ServerProcess,
  ) {}

  /** `config`: further lines of the server's configuration, such as authorization or max_payload. */
  static async start(config = ''): Promise<TestServer> {
    const binary = findNatsServer('', process.env);
    if (binary === null) throw new Error('tests need a nats-server: set NATS_SERVER_BIN or install nats-server');
    const directory = mkdtempSync(join(tmpdir(), 'extreg-nats-'));
    const server = await startServerProcess({ binary, directory, port: ANY_FREE_PORT, config });
    return new TestServer(binary, directory, config, server);
  }

  get url(): string {
    return `nats://127.0.0.1:${this.process.port}`;
  }

  get port(): number {
    return this.process.port;
  }

  /** A client of its own, closed with the server. */
  async connect(options: NodeConnectionOptions = {}): Promise<NatsConnection> {
    const client = await connect({ servers: this.url, maxReconnectAttempts: -1, reconnectTimeWait: 50, ...options });
    this.#clients.push(client);
    return client;
  }

  /** Ends the server at once; clients lose their connection. */
  async kill(): Promise<void> {
    process.kill(this.process.pid, 'SIGKILL');
    await this.process.exited;
  }

  /** It stands still, connections and all, until thaw(). Resolves when the last of its threads has stopped. */
  async freeze(): Promise<void> {
    const { pid } = this.process;
    this.#isFrozen = true;
    process.kill(pid, 'SIGSTOP');
    await until('the server stands still', () => threadStates(pid).every((state) => state === 'T'));
  }

  thaw(): void {
    this.#isFrozen = false;
    process.kill(this.process.pid, 'SIGCONT');
  }

  /** Takes over another configuration, which it tells none of its clients; resolves when it is in force. */
  async reload(config: string, isInForce: (info: ServerInfo) => boolean): Promise<void> {
    this.reconfigure(config);
    await until('the reload', async () => {
      const client = await connect({ servers: this.url, reconnect: false });
      const { info } = client;
      await client.close();
      return info !== undefined && isInForce(info);
    });
  }

  /** As reload(), without waiting until it is in force: for a configuration that not every client may see. */
  reconfigure(config: string): void {
    this.config = config;
    writeServerConfig({ directory: this.directory, port: this.process.port, config });
    process.kill(this.process.pid, 'SIGHUP');
  }

  /** Resolves when the process has ended. */
  get gone(): Promise<void> {
    return this.process.exited;
  }

  /** It announces its shutdown, takes no new client, and after its grace period cuts those that it has. */
  enterLameDuckMode(): void {
    process.kill(this.process.pid, 'SIGUSR2');
  }

  /** Starts it again on the same port, with another configuration where one is given. */
  async restart(config = this.config): Promise<void> {
    this.config = config;
    const { binary, directory } = this;
    this.process = await startServerProcess({ binary, directory, port: this.process.port, config });
  }

  async stop(): Promise<void> {
    if (this.#isFrozen) this.thaw();
    for (const client of this.#clients) await client.close();
    await this.process.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** As `/proc` tells them; none where there is no `/proc`. */
function threadStates(pid: number): string[] {
  if (!existsSync('/proc/self/task')) return [];
  // `<pid> (<name, which may hold anything>) <state> …`
  return readdirSync(`/proc/${pid}/task`).map((id) => {
    const stat = readFileSync(`/proc/${pid}/task/${id}/stat`, 'utf8');
    return stat.charAt(stat.lastIndexOf(')') + 2);
  });
}

/** What a fake extension sends back; null: nothing, the call hangs. */
export type Answer = { readonly body?: Uint8Array | string; readonly headers?: MsgHdrs } | null;

export interface FakeExtension {
  /** Every request so far, in order. */
  readonly received: Msg[];
  stop(): void;
}

/** An extension on a subject. Resolves when the server has its subscription. */
export async function startExtension(
  client: NatsConnection,
  subject: string,
  answer: (request: Msg) => Answer,
): Promise<FakeExtension> {
  const received: Msg[] = [];
  const subscription = client.subscribe(subject, {
    queue: 'extension',
    callback: (error, request) => {
      if (error !== null) return;
      received.push(request);
      const reply = answer(request);
      if (reply !== null) request.respond(reply.body, reply.headers === undefined ? {} : { headers: reply.headers });
    },
  });
  await client.flush();
  return { received, stop: () => subscription.unsubscribe() };
}
