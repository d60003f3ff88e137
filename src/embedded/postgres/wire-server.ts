// Many connections on one database session: which of them has it now, and what each of them receives.
//
// WIRE-SERVER-1. A connection that has begun something (a transaction, an unfinished extended query) has the session until it ends.
// WIRE-SERVER-2. A connection that goes away inside a transaction rolls it back, and takes its prepared statements with it.
// WIRE-SERVER-3. A notification goes to every connection that listens to its channel, and to no other.
// WIRE-SERVER-4. A connection that sits in a transaction while others wait is ended after `idleHolderMs`.
// WIRE-SERVER-5. Nothing a client sends can end the session: Terminate and COPY data never reach it.
// WIRE-SERVER-6. The settings of a connection are its own, and go with it (wire-settings.ts).
// WIRE-SERVER-7. What the owner of the session executes runs while no connection has it, and before those that wait.
//
// Long: one state machine of the wire protocol.
import { randomInt } from 'node:crypto';
import type { Socket } from 'node:net';
import {
  CANCEL_REQUEST,
  FrameBuffer,
  fatalError,
  frame,
  framesOf,
  frameType,
  GSS_REQUEST,
  int32,
  notificationChannel,
  SSL_REQUEST,
  startupMessage,
  statementText,
} from './wire-frames.js';
import { WireSettings } from './wire-settings.js';

/** One database session. Takes whole frontend messages, gives the whole answer; rejects if the session is lost. */
type ExecuteFrames = (messages: Buffer) => Promise<Buffer>;

interface WireServerOptions {
  readonly execute: ExecuteFrames;
  readonly idleHolderMs: number;
  /** The session is lost. Called once; nothing is executed after it. */
  readonly onLost: (error: unknown) => void;
}

const PROTOCOL_3 = 3;
const SYNC = frame('S');
const ROLLBACK = frame('Q', 'rollback');
/** A COPY from the client would wait for bytes that the session cannot wait for: it fails immediately. Elsewhere it is ignored. */
const COPY_FAIL = frame('f', 'COPY from the client is not supported by the embedded database');

interface Connection {
  readonly socket: Socket;
  readonly incoming: FrameBuffer;
  readonly processId: number;
  readonly statements: Set<string>;
  readonly channels: Set<string>;
  /** Whole messages not executed yet. */
  waiting: Buffer[];
  started: boolean;
  queued: boolean;
  copies: boolean;
  gone: boolean;
}

interface OwnTurn {
  readonly message: Buffer;
  readonly done: (answer: Buffer) => void;
  readonly failed: (error: unknown) => void;
}

export class WireServer {
  private readonly connections = new Set<Connection>();
  private readonly queue: Connection[] = [];
  /** WIRE-SERVER-7. */
  private readonly own: OwnTurn[] = [];
  private readonly options: WireServerOptions;
  /** What every connection is greeted with: the session's parameters, without key and readiness. */
  private greeting = Buffer.alloc(0);
  /** WIRE-SERVER-6. */
  private readonly settings: WireSettings;
  private holder: Connection | null = null;
  private holderTimer: NodeJS.Timeout | null = null;
  /** A connection has spoken of UNLISTEN since the channels were last asked for. */
  private unheard = false;
  private open = false;
  private stopping = false;
  private lost = false;
  private running: Promise<void> | null = null;
  private nextProcessId = 1;

  constructor(options: WireServerOptions) {
    this.options = options;
    this.settings = new WireSettings(options.execute);
  }

  /** The session can be used from now on; connections accepted before are served now. */
  async start(): Promise<void> {
    const answer = await this.options.execute(
      startupMessage({ user: 'postgres', database: 'postgres', client_encoding: 'UTF8' }),
    );
    this.greeting = Buffer.concat([...framesOf(answer)].filter((part) => 'RS'.includes(frameType(part))));
    this.open = true;
    for (const connection of this.connections) this.take(connection);
  }

  /** Ends every connection; what one of them had begun is rolled back. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.unwatchHolder();
    for (const connection of this.connections) {
      connection.socket.end(fatalError('57P01', 'the embedded database is closing'));
      this.leave(connection);
    }
    await this.running;
  }

  accept(socket: Socket): void {
    if (this.stopping || this.lost) {
      socket.destroy();
      return;
    }
    const connection: Connection = {
      socket,
      incoming: new FrameBuffer(),
      processId: this.nextProcessId++,
      statements: new Set(),
      channels: new Set(),
      waiting: [],
      started: false,
      queued: false,
      copies: false,
      gone: false,
    };
    this.connections.add(connection);
    socket.on('data', (chunk) => {
      connection.incoming.push(chunk);
      this.take(connection);
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.leave(connection));
  }

  /** Cuts the bytes received into messages, and asks for a turn if there are some. */
  private take(connection: Connection): void {
    if (!this.open || connection.gone) return;
    try {
      for (;;) {
        const message = connection.incoming.shift(connection.started);
        if (message === null) break;
        if (!connection.started) this.greet(connection, message);
        else if (frameType(message) === 'X') connection.socket.end();
        // WIRE-SERVER-5: data of a COPY that has failed already.
        else if (!'dcf'.includes(frameType(message))) connection.waiting.push(message);
      }
    } catch {
      connection.socket.end(fatalError('08P01', 'invalid message'));
      return;
    }
    if (connection.waiting.length > 0) this.enqueue(connection);
  }

  private greet(connection: Connection, message: Buffer): void {
    const code = message.readInt32BE(4);
    if (code === SSL_REQUEST || code === GSS_REQUEST) {
      connection.socket.write('N');
    } else if (code === CANCEL_REQUEST) {
      // The session runs every statement to its end before it reads the next.
      connection.socket.end();
    } else if (code >> 16 !== PROTOCOL_3) {
      connection.socket.end(fatalError('08P01', `unsupported protocol ${code >> 16}.${code & 0xffff}`));
    } else {
      connection.started = true;
      const newerMinor = (code & 0xffff) !== 0 ? [frame('v', int32(PROTOCOL_3 << 16, 0))] : [];
      const key = frame('K', int32(connection.processId, randomInt(2 ** 31)));
      connection.socket.write(Buffer.concat([...newerMinor, this.greeting, key, frame('Z', Buffer.from('I'))]));
    }
  }

  private leave(connection: Connection): void {
    if (connection.gone) return;
    connection.gone = true;
    connection.waiting = [];
    this.connections.delete(connection);
    if (connection === this.holder || connection.statements.size > 0 || connection.channels.size > 0)
      this.enqueue(connection);
  }

  /** WIRE-SERVER-7. The whole answer to a message of the simple protocol. Rejects if the session is lost or was stopped. */
  executeOwn(message: Buffer): Promise<Buffer> {
    if (this.lost || this.stopping) return Promise.reject(new Error('the session has ended'));
    return new Promise((done, failed) => {
      this.own.push({ message, done, failed });
      this.wake();
    });
  }

  private enqueue(connection: Connection): void {
    if (!connection.queued) {
      connection.queued = true;
      this.queue.push(connection);
    }
    this.wake();
  }

  private wake(): void {
    this.running ??= this.run().finally(() => {
      this.running = null;
      // Asked for by what went on after an answer, when the run was already at its end.
      if (this.own.length > 0 && this.holder === null && !this.lost) this.wake();
    });
  }

  /** WIRE-SERVER-7. Notifications of other turns may come with the answer. */
  private async runOwn(): Promise<void> {
    for (let turn = this.holder === null && this.own.shift(); turn; turn = this.own.shift()) {
      try {
        const answer = await this.options.execute(turn.message);
        this.broadcast([...framesOf(answer)].filter((part) => frameType(part) === 'A'));
        turn.done(answer);
      } catch (error) {
        turn.failed(error);
        throw error;
      }
    }
  }

  /** WIRE-SERVER-1: the holder's messages only, while there is one. */
  private next(): Connection | null {
    const index = this.holder === null ? 0 : this.queue.indexOf(this.holder);
    return index < 0 ? null : (this.queue.splice(index, 1)[0] ?? null);
  }

  private async run(): Promise<void> {
    // A turn of the event loop, so that messages which came in together are executed together.
    await null;
    try {
      await this.runOwn();
      for (let turn = this.next(); turn !== null && !this.lost; turn = this.next()) {
        turn.queued = false;
        if (turn.gone) await this.cleanUp(turn);
        else await this.execute(turn);
        await this.runOwn();
      }
    } catch (error) {
      this.lost = true;
      for (const turn of this.own.splice(0)) turn.failed(error);
      for (const connection of this.connections) connection.socket.destroy();
      this.options.onLost(error);
    }
    this.watchHolder();
  }

  private async execute(connection: Connection): Promise<void> {
    const messages = connection.waiting;
    connection.waiting = [];
    const last = messages.at(-1);
    if (last === undefined) return;
    const prepared = this.prepare(connection, messages);
    // WIRE-SERVER-6. The connection that holds the session still has its settings.
    if (this.holder !== connection) await this.settings.enter(connection);
    const answer = await this.options.execute(Buffer.concat(prepared));
    const idle = this.deliver(connection, answer);
    const isOver = idle && 'SQF'.includes(frameType(last));
    if (isOver) await this.settings.leave(connection);
    this.holder = isOver ? null : connection;
    this.unwatchHolder();
    if (this.holder === null && this.unheard) await this.listenAgain();
  }

  /** An UNLISTEN is the whole session's: what connections still listen to is asked for again. */
  private async listenAgain(): Promise<void> {
    this.unheard = false;
    const channels = new Set([...this.connections].flatMap((connection) => [...connection.channels]));
    if (channels.size === 0) return;
    const listen = [...channels].map((channel) => frame('Q', `listen ${quoted(channel)}`));
    const answer = await this.options.execute(Buffer.concat(listen));
    this.broadcast([...framesOf(answer)].filter((part) => frameType(part) === 'A'));
  }

  /** Notes what the messages leave behind in the session. */
  private prepare(connection: Connection, messages: readonly Buffer[]): Buffer[] {
    const prepared: Buffer[] = [];
    for (const message of messages) {
      prepared.push(message);
      const type = frameType(message);
      const text = statementText(message);
      if (text !== null) {
        connection.copies ||= /\bcopy\b/i.test(text);
        this.settings.note(connection, text);
        this.unheard ||= /\b(unlisten|discard)\b/i.test(text);
        noteListening(connection, text);
      }
      if (type === 'P') {
        const name = message.toString('utf8', 5, message.indexOf(0, 5));
        if (name !== '') connection.statements.add(name);
      } else if (type === 'C' && message[5] === 0x53) {
        connection.statements.delete(message.toString('utf8', 6, message.indexOf(0, 6)));
      } else if (connection.copies && (type === 'Q' || type === 'E')) {
        prepared.push(COPY_FAIL);
      }
    }
    return prepared;
  }

  /** Sends the answer on. True when the session says that it is in no transaction. */
  private deliver(connection: Connection, answer: Buffer): boolean {
    let idle = false;
    let notifications: Buffer[] | null = null;
    const kept: Buffer[] = [];
    for (const part of framesOf(answer)) {
      const type = part[0];
      if (type === 0x5a) idle = part[5] === 0x49;
      if (type === 0x41) {
        notifications ??= [];
        notifications.push(part);
      } else kept.push(part);
    }
    if (notifications === null) connection.socket.write(answer);
    else {
      if (kept.length > 0) connection.socket.write(Buffer.concat(kept));
      this.broadcast(notifications);
    }
    return idle;
  }

  /** WIRE-SERVER-3. */
  private broadcast(notifications: readonly Buffer[]): void {
    for (const notification of notifications) {
      const channel = notificationChannel(notification);
      for (const connection of this.connections)
        if (connection.channels.has(channel)) connection.socket.write(notification);
    }
  }

  /** WIRE-SERVER-2. */
  private async cleanUp(connection: Connection): Promise<void> {
    const close = [...connection.statements].map((name) => frame('C', Buffer.from('S'), name));
    const held = this.holder === connection ? [SYNC, ROLLBACK, this.settings.reset(connection)] : [];
    const orphaned = [...connection.channels].filter((channel) => !this.isHeard(channel));
    const unlisten = orphaned.map((channel) => frame('Q', `unlisten ${quoted(channel)}`));
    const answer = await this.options.execute(Buffer.concat([...held, ...close, SYNC, ...unlisten]));
    this.broadcast([...framesOf(answer)].filter((part) => frameType(part) === 'A'));
    if (this.holder === connection) this.holder = null;
    this.unwatchHolder();
  }

  private isHeard(channel: string): boolean {
    return [...this.connections].some((connection) => connection.channels.has(channel));
  }

  /** WIRE-SERVER-4. */
  private watchHolder(): void {
    const holder = this.holder;
    if (holder === null || this.queue.length === 0 || this.holderTimer !== null) return;
    this.holderTimer = setTimeout(() => {
      this.holderTimer = null;
      if (this.holder !== holder) return;
      holder.socket.end(fatalError('25P03', 'ended: idle in a transaction that others wait for'));
      this.leave(holder);
    }, this.options.idleHolderMs);
  }

  private unwatchHolder(): void {
    if (this.holderTimer !== null) clearTimeout(this.holderTimer);
    this.holderTimer = null;
  }
}

function noteListening(connection: Connection, text: string): void {
  for (const match of text.matchAll(/\b(un)?listen\s+(?:"((?:[^"]|"")+)"|(\*|[\w$]+))/gi)) {
    const channel = match[2]?.replaceAll('""', '"') ?? match[3]?.toLowerCase() ?? '';
    if (match[1] === undefined) connection.channels.add(channel);
    else if (channel === '*') connection.channels.clear();
    else connection.channels.delete(channel);
  }
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;
