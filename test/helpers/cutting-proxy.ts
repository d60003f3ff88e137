// A TCP proxy before a PostgreSQL server that can lose an answer: what the client sent arrives, and is carried out, but the
// connection is cut before the client hears of it.
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { ExecutionContext } from 'ava';
import type { DatabaseConnection } from '../../src/db/client.js';

export class CuttingProxy {
  /** The first message of a client whose bytes hold this has its answer lost; then it is null again. */
  #cutAt: string | null = null;
  /** How many answers were lost. */
  cuts = 0;
  readonly #sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    readonly connection: DatabaseConnection,
  ) {}

  /** Closed with the test. */
  static async before(t: ExecutionContext, target: DatabaseConnection): Promise<CuttingProxy> {
    if (target.kind !== 'url') throw new Error(`not a URL but ${target.kind}`);
    const url = new URL(target.url);
    const port = Number(url.port);
    const server = createServer((client) => proxy.#serve(client, port));
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    url.port = String((server.address() as { port: number }).port);
    const proxy = new CuttingProxy(server, { kind: 'url', url: url.href });
    t.teardown(() => proxy.#close());
    return proxy;
  }

  /** Of the next message that holds `text` the answer is lost. */
  cutAnswerTo(text: string): void {
    this.#cutAt = text;
  }

  #serve(client: Socket, port: number): void {
    const server = connect(port, '127.0.0.1');
    let isCutting = false;
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.#sockets.delete(socket);
        client.destroy();
        server.destroy();
      });
    }
    client.on('data', (bytes) => {
      if (this.#cutAt !== null && bytes.includes(this.#cutAt)) {
        this.#cutAt = null;
        isCutting = true;
      }
      server.write(bytes);
    });
    let tail = Buffer.alloc(0);
    server.on('data', (bytes) => {
      if (!isCutting) {
        client.write(bytes);
        return;
      }
      // ReadyForQuery, idle: the transaction has ended.
      tail = Buffer.concat([tail, bytes]).subarray(-6);
      if (!tail.equals(Buffer.from([0x5a, 0, 0, 0, 5, 0x49]))) return;
      this.cuts++;
      client.destroy();
    });
  }

  #close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    return new Promise((done) => this.server.close(() => done()));
  }
}
