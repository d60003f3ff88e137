import test from 'ava';
import fc from 'fast-check';
import { headers, type MsgHdrsImpl, type NatsConnection } from '#@nats-io/nats-core';
import { NatsConnectionImpl } from '#@nats-io/nats-core/internal';
import { ClientInternals } from '../../../src/nats/connection/client-internals.js';
import { Outbox } from '../../../src/nats/connection/outbox.js';

/** The client's own publish() on a protocol that writes down what it would send. */
function recorder(): { readonly nc: NatsConnection; readonly sent: () => Buffer } {
  const pieces: Uint8Array[] = [];
  const live = NatsConnectionImpl.prototype;
  const protocol = {
    sendCommand: (command: string | Uint8Array, ...payloads: Uint8Array[]) => {
      pieces.push(typeof command === 'string' ? Buffer.from(command) : Uint8Array.from(command));
      for (const payload of payloads) pieces.push(Uint8Array.from(payload));
    },
  };
  const nc = Object.assign(Object.create(live) as object, { protocol }) as unknown as NatsConnection;
  return { nc, sent: () => Buffer.concat(pieces) };
}

const outboxOf = (nc: NatsConnection): Outbox => {
  const internals = new ClientInternals(nc);
  return new Outbox((pieces) => internals.send(pieces));
};

const token = fc.stringMatching(/^[a-zA-Z0-9_-]{1,12}$/);
const message = fc.record({
  subject: token,
  reply: fc.oneof(fc.constant(''), token),
  values: fc.array(fc.stringMatching(/^[!-~]{0,20}$/), { maxLength: 3 }),
  body: fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.integer({ min: 15_000, max: 40_000 }).map((n) => Buffer.alloc(n, 7)),
  ),
});

test('OUTBOX-1: the bytes are those of the client\u2019s publish(), in order, for any messages', async (t) => {
  const { ProtocolHandler } = await import('#@nats-io/nats-core/internal');
  fc.assert(
    fc.property(fc.array(message, { maxLength: 20 }), (messages) => {
      const ours = recorder();
      const theirs = recorder();
      const outbox = outboxOf(ours.nc);
      const publish = ProtocolHandler.prototype.publish;
      const target = {
        ...(theirs.nc as unknown as { protocol: object }).protocol,
        info: undefined,
        outBytes: 0,
        outMsgs: 0,
      };
      for (const { subject, reply, values, body } of messages) {
        const given = headers();
        for (const value of values) given.append('X-Value', value);
        const block = values.length === 0 ? '' : Buffer.from((given as MsgHdrsImpl).encode()).toString('latin1');
        outbox.put(subject, reply, block, body);
        publish.call(target as never, subject, body, { reply, ...(values.length === 0 ? {} : { headers: given }) });
      }
      outbox.flush();
      t.true(ours.sent().equals(theirs.sent()));
    }),
    { numRuns: 200 },
  );
});

test('OUTBOX-2: what was handed over does not change with what is put later', (t) => {
  const handed: { readonly piece: Uint8Array; readonly copy: Buffer }[] = [];
  const nc = {
    protocol: {
      sendCommand: (...pieces: Uint8Array[]) => {
        for (const piece of pieces) handed.push({ piece, copy: Buffer.from(piece) });
      },
    },
  } as unknown as NatsConnection;
  const outbox = outboxOf(nc);
  for (let i = 0; i < 500; i += 1) {
    outbox.put('a', '', '', Buffer.alloc(997, i));
    if (i % 3 === 0) outbox.flush();
  }
  outbox.flush();
  t.is(Buffer.concat(handed.map(({ copy }) => copy)).length, 500 * (997 + 'PUB a 997\r\n\r\n'.length));
  t.true(handed.every(({ piece, copy }) => copy.equals(piece)));
});

test('outbox: what one turn puts leaves in one piece at its end, and nothing after clear()', async (t) => {
  let pieces = 0;
  const nc = { protocol: { sendCommand: () => (pieces += 1) } } as unknown as NatsConnection;
  const outbox = outboxOf(nc);
  outbox.put('a', '', '', Buffer.from('1'));
  outbox.put('a', '', '', Buffer.from('2'));
  t.is(pieces, 0);
  await Promise.resolve();
  t.is(pieces, 1);
  outbox.put('a', '', '', Buffer.from('3'));
  outbox.clear();
  await Promise.resolve();
  t.is(pieces, 1);
});

test('outbox: a client without the queue it needs is refused at once', (t) => {
  t.throws(() => new ClientInternals({ protocol: {} } as unknown as NatsConnection), { message: /not supported/ });
});
