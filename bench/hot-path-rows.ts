// Rows of the benchmark: a call from the bytes that the server sends to the bytes that it gets, in one process, without a socket. Each is a
// request of three headers and 256 bytes, and a reply of 256 bytes without headers; 32 of them are in a chunk, and a row runs a chunk at a time.
import { MsgHdrsImpl } from '#@nats-io/nats-core';
import { type MsgImpl, ProtocolHandler, SubscriptionImpl } from '#@nats-io/nats-core/internal';
import type { ActorSystem } from '../src/actors/actor-system.js';
import type {
  AttemptEnd,
  AttemptListener,
  HandleInvocation,
  Invocation,
  Reply,
  Route,
  SendAttempt,
} from '../src/actors/ports/transport.js';
import type { RegistryEntry } from '../src/domain/registry/registry-rows.js';
import type { BrokerConnection } from '../src/nats/connection/connection.js';
import { Outbox } from '../src/nats/connection/outbox.js';
import { CONTEXT_SOURCES } from '../src/nats/intake/caller-context.js';
import { Intake } from '../src/nats/intake/intake.js';
import { Replies } from '../src/nats/intake/replies.js';
import { Requester } from '../src/nats/requester.js';
import { FrameReader, type OnMessage } from '../src/nats/wire/frame-reader.js';
import { createRandomHex } from '../src/nats/wire/random-hex.js';
import { createPrepareRoute } from '../src/nats/wire/routes.js';
import { Subjects } from '../src/nats/wire/subjects.js';
import { silentLogger } from '../src/telemetry/log.js';
import { entry, startCore, versionRow } from './core.js';
import { runningClock } from './targets.js';
import type { Row } from './turns.js';

/** Of each chunk. */
export const CALLS = 32;
export const BODY = Buffer.alloc(256, 'x');
const CRLF = '\r\n';
export const REQUESTS_SID = 1;
const REPLIES_SID = 2;
const SUBJECT = 'extreg.v1.invoke.a';

/** What is between the bytes that come and those that go. */
interface Middle {
  /** Takes a chunk. */
  read(chunk: Buffer): void;
  /** The pieces that it sends for it. */
  sent(): readonly Uint8Array[];
}

/** The first line of a message, its header block and its body. */
function frameOf(subject: string, sid: number, reply: string, block: string): Buffer {
  const sizes = block === '' ? `${BODY.length}` : `${block.length} ${block.length + BODY.length}`;
  const line = [block === '' ? 'MSG' : 'HMSG', subject, sid, ...(reply === '' ? [] : [reply]), sizes].join(' ');
  return Buffer.concat([Buffer.from(`${line}${CRLF}${block}`, 'latin1'), BODY, Buffer.from(CRLF)]);
}

export const BLOCK = `NATS/1.0${CRLF}X-Request-Id: 7f3c9a52-41be-4f0e-9d0a-6f8f0a8b1c2d${CRLF}Extreg-Tenant-Id: tenant-1${CRLF}Content-Type: application/json${CRLF}${CRLF}`;

export const REQUESTS = Buffer.concat(
  Array.from({ length: CALLS }, (_, i) => frameOf(SUBJECT, REQUESTS_SID, `_INBOX.x7fQ2mPz.${i}`, BLOCK)),
);
const REPLY_TAIL = Buffer.concat([Buffer.from(` ${REPLIES_SID} ${BODY.length}${CRLF}`), BODY, Buffer.from(CRLF)]);
const REPLIES = Buffer.alloc(CALLS * 512);

/** The extension and the server: a reply to each request in these pieces. */
function repliesTo(pieces: readonly Uint8Array[]): Buffer {
  let end = 0;
  let answered = 0;
  for (const piece of pieces) {
    const bytes = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
    for (let at = 0; at < bytes.length; answered += 1) {
      const line = bytes.toString('latin1', at, bytes.indexOf('\r', at)).split(' ');
      const hasHeaders = line[0] === 'HPUB';
      const total = Number(line.at(-1));
      end += REPLIES.write('MSG ', end, 'latin1');
      end += REPLIES.write(line[2] as string, end, 'latin1');
      end += REPLY_TAIL.copy(REPLIES, end);
      at += line.join(' ').length + 4 + total;
      if (!hasHeaders && line.length !== 4) throw new Error('a request has no reply subject');
    }
  }
  if (answered !== CALLS) throw new Error(`${answered} of ${CALLS} requests went on`);
  return REPLIES.subarray(0, end);
}

function rowOf(name: string, middle: Middle): Row {
  return {
    name,
    run(times) {
      for (let i = 0; i < times; i += 1) {
        middle.read(REQUESTS);
        middle.read(repliesTo(middle.sent()));
        if (middle.sent().length === 0) throw new Error(`${name}: nothing was answered`);
      }
    },
  };
}

/** What the row costs that is not measured for its own sake: the requests are answered, but nothing is between. */
function harness(): Row {
  const pieces = [
    Buffer.concat(
      Array.from({ length: CALLS }, (_, i) =>
        Buffer.concat([
          Buffer.from(`HPUB ext.a _INBOX_extreg.0123456789ab.${i}-0123456789ab 110 ${110 + BODY.length}${CRLF}`),
          Buffer.alloc(110),
          BODY,
          Buffer.from(CRLF),
        ]),
      ),
    ),
  ];
  return {
    name: HARNESS,
    run: (times) => {
      for (let i = 0; i < times; i += 1) repliesTo(pieces);
    },
  };
}

/** Headers that are passed on as bytes. */
export class Headers extends MsgHdrsImpl {
  bytes: Uint8Array = new Uint8Array(0);

  override encode(): Uint8Array {
    return this.bytes;
  }
}

/** The client without a socket. */
export function silentProtocol(send: (piece: Uint8Array) => void): ProtocolHandler {
  const protocol = new ProtocolHandler({ servers: ['127.0.0.1:4222'] } as never, {} as never);
  return Object.assign(protocol, { connected: true, infoReceived: true, transport: { send } });
}

export const flush = (protocol: ProtocolHandler): void =>
  (protocol as unknown as { flushPending(): void }).flushPending();

/** A forwarder that decides nothing, on the parser and the publisher of nats.js. */
function bareForwarder(): Middle {
  let sent: Uint8Array[] = [];
  const protocol = silentProtocol((piece) => void sent.push(piece));
  const subscribe = (subject: string, take: (message: MsgImpl) => void): void => {
    const callback = (_: unknown, message: MsgImpl): void => take(message);
    protocol.subscriptions.add(new SubscriptionImpl(protocol, subject, { callback } as never));
  };
  const headers = new Headers();
  const pass = (subject: string, reply: string, { _msg: frame, _rdata: bytes, data }: MsgImpl): void => {
    headers.bytes = frame.hdr > 0 ? bytes.subarray(0, frame.hdr) : headers.bytes;
    protocol.publish(subject, data, frame.hdr > 0 ? { reply, headers } : { reply });
  };
  const callers: string[] = new Array(4096).fill('');
  const base = '_INBOX_bare.12345.';
  let last = 0;
  subscribe(SUBJECT, (message) => {
    last = (last + 1) % callers.length;
    callers[last] = message.reply as string;
    pass('ext.a', base + last, message);
  });
  subscribe(`${base}*`, (message) => {
    const { subject } = message._msg;
    let slot = 0;
    for (let i = base.length; i < subject.length; i += 1) slot = slot * 10 + ((subject[i] as number) - 48);
    pass(callers[slot] as string, '', message);
  });
  return {
    read: (chunk) => protocol.parser.parse(chunk),
    sent: () => {
      flush(protocol);
      const pieces = sent;
      sent = [];
      return pieces;
    },
  };
}

/** A connection without a socket. */
class Pieces {
  readonly connected = true;
  readonly maxPayload = 1_048_576;
  readonly #listeners = new Map<number, OnMessage>();
  readonly #reader = new FrameReader({ isBetweenFrames: true, parse: unexpected }, this.#listeners);
  #pieces: Uint8Array[] = [];
  readonly #outbox = new Outbox((pieces) => void this.#pieces.push(...pieces));

  subscribe(subject: string, _queue: string | null, callback: OnMessage): unknown {
    this.#listeners.set(subject.startsWith('extreg') ? REQUESTS_SID : REPLIES_SID, callback);
    return { denied: false, unsubscribe: () => undefined };
  }

  publish(subject: string, reply: string, block: string, body: Uint8Array): boolean {
    this.#outbox.put(subject, reply, block, body);
    return true;
  }

  readonly isLimitKnownFor = (): boolean => true;
  readonly onState = (): void => undefined;
  readonly onStall = (): void => undefined;
  readonly onPublishDenied = (): void => undefined;

  read(chunk: Buffer): void {
    this.#reader.read(chunk);
  }

  sent(): readonly Uint8Array[] {
    this.#outbox.flush();
    const pieces = this.#pieces;
    this.#pieces = [];
    return pieces;
  }
}

export function unexpected(): never {
  throw new Error('bytes went to the parser of nats.js');
}

/** `connect`: makes what takes the invocations, given what sends attempts. */
function ours(connect: (send: SendAttempt) => HandleInvocation): Middle {
  const pieces = new Pieces();
  const connection = pieces as unknown as BrokerConnection;
  const randomHex = createRandomHex();
  // Its receipts come first, and the requester's replies take their place.
  const replies = new Replies(connection, runningClock, randomHex);
  const requester = new Requester(connection, runningClock, silentLogger, randomHex);
  const settings = {
    replyPrefixes: ['_INBOX'],
    minBudgetMs: 10,
    maxBudgetMs: 60_000,
    maxBodyBytes: null,
    context: { from: CONTEXT_SOURCES, bodyMaxBytes: 65_536, environment: null },
    takesSelfCheck: () => false,
  };
  const handle = connect((...attempt) => requester.send(...attempt));
  new Intake(connection, replies, new Subjects('extreg.v1'), runningClock, silentLogger, settings, handle).start();
  return pieces;
}

class UndecidedCall implements AttemptListener {
  constructor(
    private readonly invocation: Invocation,
    private readonly route: Route,
  ) {}

  attemptEnded(end: AttemptEnd, reply: Reply | null): void {
    const { invocation, route } = this;
    if (reply === null) invocation.refuse({ code: 'extension_unavailable', message: end });
    else invocation.succeed(route, reply, 1, performance.now() - invocation.arrivedMs, Number.POSITIVE_INFINITY);
  }
}

function wireAlone(): Middle {
  const rules = { ownPrefix: 'extreg.v1', allowedPrefixes: [] };
  const spec = { extensionId: 'a', version: 'v1', instanceId: null, subject: 'ext.a', config: null };
  const route = createPrepareRoute(null, rules)(spec);
  return ours((send) => (invocation) => send(route, invocation, 1, 5000, 5000, new UndecidedCall(invocation, route)));
}

const EVERYTHING: RegistryEntry = entry(
  'a',
  4,
  [
    versionRow('a', 'v1', { subject: 'ext.a' }),
    versionRow('a', 'v2', { routing_rules: { tenant_id: ['tenant-7', 'tenant-8'] } }),
    versionRow('a', 'v3', { routing_rules: { environment: 'test' } }),
  ],
  { policy: { max_in_flight: 100_000 } },
);

/** What is measured of a call: its own work is in each of them. */
export const HARNESS = 'the benchmark itself';
export const BARE = 'a bare forwarder on nats.js';

export function callRows(): { readonly rows: readonly Row[]; readonly stop: () => Promise<void> } {
  const cores: ActorSystem[] = [];
  const whole = (extension: RegistryEntry): Middle =>
    ours((send) => {
      const core = startCore([extension], send);
      cores.push(core);
      return core.router.handle;
    });
  const rows = [
    harness(),
    rowOf(BARE, bareForwarder()),
    rowOf('our wire, no decisions', wireAlone()),
    rowOf('this daemon, one extension', whole(entry('a', 0))),
    rowOf('this daemon, three versions with rules, four weighted instances', whole(EVERYTHING)),
  ];
  return { rows, stop: async () => void (await Promise.all(cores.map((core) => core.stop()))) };
}
