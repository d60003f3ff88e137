import test from 'ava';
import fc from 'fast-check';
import type { Msg } from '#@nats-io/nats-core';
import { describe, Kind, MsgImpl, Parser, type ParserEvent, State } from '#@nats-io/nats-core/internal';
import { messageOf } from '../../../src/nats/connection/client-internals.js';
import { FrameReader, type OnMessage } from '../../../src/nats/wire/frame-reader.js';
import type { BrokerMessage } from '../../../src/nats/wire/message.js';
import { runs } from '../../helpers/depth.js';

/** Subscriptions that are read here; the others are those of the client alone. */
const OURS = [1, 22, 333];

const shown = (sid: number, { subject, reply, block, body }: BrokerMessage): string =>
  JSON.stringify([sid, subject, reply, block.text, Buffer.from(body).toString('latin1')]);

/** The parser of nats.js, and what it found. */
function library() {
  const found: string[] = [];
  const parser = new Parser({
    push(given) {
      const event = given as ParserEvent;
      const { kind } = event;
      if (kind !== Kind.MSG) found.push(describe(event));
      else {
        const message = new MsgImpl(event.msg as never, event.data as Uint8Array, {} as never) as Msg;
        found.push(shown(message.sid, messageOf(message)));
      }
    },
  });
  return { parser, found };
}

/** What comes out of these chunks, by the client alone, and with our reader before it. */
function both(chunks: readonly Buffer[]) {
  const alone = library();
  const beside = library();
  let readHere = 0;
  const listeners = new Map<number, OnMessage>(
    OURS.map((sid) => [
      sid,
      (message) => {
        readHere += 1;
        if (message.isPlain && !/^[!-)+-=?-~]*$/.test(message.subject + message.reply)) throw new Error('not plain');
        beside.found.push(shown(sid, message));
      },
    ]),
  );
  const reader = new FrameReader(
    {
      get isBetweenFrames() {
        return beside.parser.state === State.OP_START;
      },
      parse: (bytes) => beside.parser.parse(bytes),
    },
    listeners,
  );
  for (const chunk of chunks) {
    alone.parser.parse(chunk);
    reader.read(chunk);
  }
  return { expected: alone.found, found: beside.found, readHere };
}

/** Cut at these places, which are shares of the whole. */
function cut(bytes: Buffer, shares: readonly number[]): Buffer[] {
  const ends = [...new Set(shares.map((share) => Math.floor(share * bytes.length)))].sort((a, b) => a - b);
  return [...ends, bytes.length].map((end, i) => bytes.subarray(i === 0 ? 0 : ends[i - 1], end));
}

const subject = fc.stringMatching(/^[a-z0-9_-]{1,8}(\.[a-zA-Z0-9Łé$]{1,8}){0,3}$/);
const sid = fc.constantFrom(...OURS, 4, 55);
const body = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.constantFrom('\r\n', 'MSG a 1 2\r\n', '\r\nPING\r\n', '').map((text) => Buffer.from(text)),
  fc.integer({ min: 1000, max: 9000 }).map((n) => Buffer.alloc(n, 'MSG a 1 0\r\n\r\n')),
);
const block = fc
  .array(fc.tuple(fc.stringMatching(/^[A-Za-z-]{1,9}$/), fc.stringMatching(/^[ -~é]{0,20}$/)), { maxLength: 3 })
  .map((lines) => `NATS/1.0\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`);

const message = fc
  .record({ subject, sid, reply: fc.oneof(fc.constant(''), subject), block: fc.oneof(fc.constant(''), block), body })
  .map(({ subject, sid, reply, block, body }) => {
    const head = Buffer.from(block);
    const sizes = block === '' ? `${body.length}` : `${head.length} ${head.length + body.length}`;
    const words = [block === '' ? 'MSG' : 'HMSG', subject, sid, ...(reply === '' ? [] : [reply]), sizes];
    return Buffer.concat([Buffer.from(`${words.join(' ')}\r\n`), head, body, Buffer.from('\r\n')]);
  });
const other = fc
  .constantFrom(
    'PING\r\n',
    'PONG\r\n',
    '+OK\r\n',
    '-ERR \'Permissions Violation for Publish to "a"\'\r\n',
    'INFO {"server_id":"a","max_payload":1048576}\r\n',
    // Allowed by the protocol, and never written by a server.
    'msg a 1 2\r\nab\r\n',
    'MSG  a  1  2\r\nab\r\n',
    'MSG\ta\t22\t2\r\nab\r\n',
    'hmsg a 1 12 14\r\nNATS/1.0\r\n\r\nab\r\n',
    'HMSG a 333 b  12  14\r\nNATS/1.0\r\n\r\nab\r\n',
  )
  .map((text) => Buffer.from(text));

test('FRAME-READER-1, FRAME-READER-2, FRAME-READER-3: whatever comes, in whatever chunks, the same comes out as by nats.js alone', (t) => {
  let here = 0;
  fc.assert(
    fc.property(
      fc.array(fc.oneof({ weight: 4, arbitrary: message }, other), { maxLength: 12 }),
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 10 }),
      (frames, shares) => {
        const { expected, found, readHere } = both(cut(Buffer.concat(frames), shares));
        here += readHere;
        t.deepEqual(found, expected);
      },
    ),
    { numRuns: runs(2000) },
  );
  t.true(here > 0);
});

test('FRAME-READER-3: cut at any byte, and byte by byte', (t) => {
  const bytes = Buffer.from(
    'MSG a.b 1 4\r\nabcd\r\nPING\r\nHMSG a 22 _INBOX.x 12 14\r\nNATS/1.0\r\n\r\nxy\r\nMSG c 4 r 0\r\n\r\nMSG d 333 3\r\n\r\n\r\r\n',
  );
  const whole = both([bytes]);
  t.is(whole.found.length, 5);
  t.is(whole.readHere, 3);
  for (let at = 0; at <= bytes.length; at += 1) {
    const { expected, found } = both([bytes.subarray(0, at), bytes.subarray(at)]);
    t.deepEqual(found, expected);
    t.deepEqual(found, whole.found, `cut at ${at}`);
  }
  t.deepEqual(both([...bytes].map((byte) => Buffer.from([byte]))).found, whole.found);
});

test('FRAME-READER-1: what is no protocol is an error of nats.js, and its own', (t) => {
  for (const bytes of ['HTTP/1.1 400\r\n', 'MSG a 1 2\r\nab\r\nnonsense', 'HMSG a 1 99 3\r\nabc\r\n'])
    t.deepEqual(outcomeOf(bytes, true), outcomeOf(bytes, false), bytes);
});

/** What was found before the error, and whether there was one. */
function outcomeOf(bytes: string, isOurs: boolean): readonly [boolean, readonly string[]] {
  const { parser, found } = library();
  const reader = new FrameReader(
    {
      get isBetweenFrames() {
        return parser.state === State.OP_START;
      },
      parse: (rest) => parser.parse(rest),
    },
    new Map([[1, (given) => void found.push(shown(1, given))]]),
  );
  try {
    if (isOurs) reader.read(Buffer.from(bytes));
    else parser.parse(Buffer.from(bytes));
    return [false, found];
  } catch {
    return [true, found];
  }
}

test('FRAME-READER-3: a large message that comes in many chunks comes out whole', (t) => {
  const body = Buffer.alloc(3_000_000, 'x');
  const bytes = Buffer.concat([Buffer.from(`MSG a 1 ${body.length}\r\n`), body, Buffer.from('\r\nPING\r\n')]);
  const chunks = Array.from({ length: 300 }, (_, i) => bytes.subarray(i * 10_001, (i + 1) * 10_001));
  const { found, expected, readHere } = both(chunks);
  t.is(readHere, 1);
  t.deepEqual(found, expected);
});
