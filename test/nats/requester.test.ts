import anyTest, { type TestFn } from 'ava';
import type { Msg, NatsConnection } from '#@nats-io/nats-core';
import type { Invocation } from '../../src/actors/ports/transport.js';
import { startExtension, TestServer } from '../helpers/nats-server.js';
import { SimulatedClock } from '../helpers/simulated-clock.js';
import { until } from '../helpers/until.js';
import { Ends, errorOf, invoke, PREFIX, Rig, type RigOptions, rawBlock, recordingLogger } from './wire-rig.js';

interface World {
  server: TestServer;
  caller: NatsConnection;
}

const test = anyTest as TestFn<World>;

test.before(async (t) => {
  const server = await TestServer.start();
  t.context = { server, caller: await server.connect() };
});
test.after.always((t) => t.context.server.stop());

type Context = { context: World; teardown(fn: () => unknown): void };

async function rigOf(t: Context, options: RigOptions = {}): Promise<Rig> {
  const rig = await Rig.start(t.context.server, options);
  t.teardown(() => rig.close());
  return rig;
}

/** A real invocation, caught by a handler that does nothing with it. */
async function caught(t: Context, options: RigOptions = {}): Promise<{ rig: Rig; invocation: Invocation }> {
  const seen: Invocation[] = [];
  const rig = await rigOf(t, { ...options, handle: () => (invocation) => void seen.push(invocation) });
  t.context.caller.publish(`${PREFIX}.invoke.normalize`, 'x', { reply: '_INBOX.nobody' });
  await until('the invocation', () => seen.length === 1);
  return { rig, invocation: seen[0] as Invocation };
}

test.serial('requester: nobody listening ends an attempt at once', async (t) => {
  await rigOf(t);
  t.is(errorOf(await invoke(t.context.caller, 'normalize')).message, 'attempt ended: no_responders');
});

test.serial('requester: an extension that answers an empty 503 of its own has answered', async (t) => {
  const { rig, invocation } = await caught(t);
  const extension = await startExtension(t.context.caller, 'ext.normalize', () => ({
    headers: rawBlock('NATS/1.0\r\nNats-Service-Error-Code: 503\r\nNats-Service-Error: busy\r\nRetry-After: 3\r\n\r\n'),
  }));
  t.teardown(() => extension.stop());
  const seen = new Ends();
  rig.requester.send(rig.route, invocation, 1, 5000, 5000, seen);
  await until('the reply', () => seen.ends.length > 0);
  t.like(seen.ends[0]?.reply, { serviceErrorCode: 503, serviceError: 'busy', retryAfterMs: 3000 });
});

test.serial('requester: a reply with a malformed header block is a service error of 500', async (t) => {
  const { rig, invocation } = await caught(t);
  const extension = await startExtension(t.context.caller, 'ext.normalize', () => ({
    headers: rawBlock('NATS/1.0\r\nbad name: x\r\n\r\n'),
  }));
  t.teardown(() => extension.stop());
  const seen = new Ends();
  rig.requester.send(rig.route, invocation, 1, 5000, 5000, seen);
  await until('the reply', () => seen.ends.length > 0);
  t.is(seen.ends[0]?.reply?.serviceErrorCode, 500);
});

test.serial('requester: an attempt without an answer ends when its time is over, and only then', async (t) => {
  const clock = new SimulatedClock();
  const { rig, invocation } = await caught(t, { clock });
  const extension = await startExtension(t.context.caller, 'ext.normalize', () => null);
  t.teardown(() => extension.stop());
  const seen = new Ends();
  rig.requester.send(rig.route, invocation, 1, 1000, 1000, seen);
  clock.advance(999);
  t.true(await rig.connection.roundTrip());
  t.deepEqual(seen.kinds, []);
  clock.advance(1);
  t.true(await rig.connection.roundTrip());
  t.deepEqual(seen.kinds, ['timeout']);
  t.is(rig.requester.counts().pending, 0);
});

test.serial('REQUESTER-6: a slot used again keeps its timer, and ends each attempt at its own time', async (t) => {
  const clock = new SimulatedClock();
  const { rig, invocation } = await caught(t, { clock });
  const requests: Msg[] = [];
  const extension = await startExtension(t.context.caller, 'ext.normalize', (request) => {
    requests.push(request);
    return null;
  });
  t.teardown(() => extension.stop());
  const attempt = async (timeoutMs: number): Promise<Ends> => {
    const seen = new Ends();
    rig.requester.send(rig.route, invocation, 2, timeoutMs, timeoutMs, seen);
    const count = requests.length;
    await until('the request', () => requests.length > count);
    return seen;
  };
  const answered = async (seen: Ends): Promise<void> => {
    requests.at(-1)?.respond('late enough');
    await until('the reply', () => seen.kinds.length === 1);
  };
  await answered(await attempt(1000));
  clock.advance(600);
  await answered(await attempt(1000));
  t.is(clock.delays.length, 1, 'the second attempt started no timer');
  const long = await attempt(1000);
  clock.advance(500);
  t.true(await rig.connection.roundTrip());
  t.deepEqual(long.kinds, [], 'the timer of the first attempt ended nothing');
  clock.advance(499);
  t.true(await rig.connection.roundTrip());
  t.deepEqual(long.kinds, []);
  clock.advance(1);
  t.true(await rig.connection.roundTrip());
  t.deepEqual(long.kinds, ['timeout']);
  await answered(await attempt(1000));
  const short = await attempt(100);
  clock.advance(100);
  t.true(await rig.connection.roundTrip());
  t.deepEqual(short.kinds, ['timeout'], 'a shorter attempt does not wait for the longer timer');
});

test.serial(
  'REQUESTER-8: a shorter timeout ends what is in flight sooner, of that version and kind, and a longer one nothing',
  async (t) => {
    const clock = new SimulatedClock();
    const { rig, invocation } = await caught(t, { clock });
    const extension = await startExtension(t.context.caller, 'ext.normalize', () => null);
    t.teardown(() => extension.stop());
    const seen = { long: new Ends(), short: new Ends(), check: new Ends() };
    rig.requester.send(rig.route, invocation, 1, 60_000, 60_000, seen.long);
    rig.requester.send(rig.route, invocation, 1, 1000, 1000, seen.short);
    rig.requester.sendCheck(rig.route, new Uint8Array(), 60_000, seen.check);
    const ended = async (afterMs: number): Promise<string[]> => {
      clock.advance(afterMs);
      t.true(await rig.connection.roundTrip());
      return Object.entries(seen).flatMap(([name, { kinds }]) => kinds.map((kind) => `${name} ${kind}`));
    };
    const { extensionId, version } = rig.route;
    rig.requester.limit(extensionId, version, false, 2000);
    for (const [id, name] of [
      ['other', version],
      [extensionId, 'other'],
    ] as const)
      rig.requester.limit(id, name, true, 1);
    rig.requester.limit(extensionId, version, false, 70_000);
    t.deepEqual(await ended(999), []);
    t.deepEqual(await ended(1), ['short timeout']);
    t.deepEqual(await ended(999), ['short timeout']);
    t.deepEqual(await ended(1), ['long timeout', 'short timeout']);
    rig.requester.limit(extensionId, version, true, 500);
    t.deepEqual(await ended(499), ['long timeout', 'short timeout']);
    t.deepEqual(await ended(1), ['long timeout', 'short timeout', 'check timeout']);
    t.is(rig.requester.counts().pending, 0);
  },
);

test.serial('REQUESTER-6: a timer that fires early is armed for what is left', async (t) => {
  const clock = new SimulatedClock();
  const { rig, invocation } = await caught(t, { clock });
  const extension = await startExtension(t.context.caller, 'ext.normalize', () => null);
  t.teardown(() => extension.stop());
  const seen = new Ends();
  rig.requester.send(rig.route, invocation, 1, 1000, 1000, seen);
  clock.advance(990);
  t.true(clock.fireEarly());
  t.true(await rig.connection.roundTrip());
  t.deepEqual(seen.kinds, []);
  clock.advance(10);
  t.true(await rig.connection.roundTrip());
  t.deepEqual(seen.kinds, ['timeout']);
});

/** A rig whose round trips complete when the test says so, and an extension that holds what it got. */
async function held(t: Context) {
  const clock = new SimulatedClock();
  const { rig, invocation } = await caught(t, { clock });
  const extension = await startExtension(t.context.caller, 'ext.normalize', () => null);
  t.teardown(() => extension.stop());
  const trips: ((completed: boolean) => void)[] = [];
  const roundTrip = rig.connection.roundTrip.bind(rig.connection);
  t.teardown(() => {
    rig.connection.roundTrip = roundTrip;
  });
  rig.connection.roundTrip = () => new Promise((resolve) => void trips.push(resolve));
  const attempt = async (timeoutMs: number): Promise<Ends> => {
    const ends = new Ends();
    const count = extension.received.length;
    rig.requester.send(rig.route, invocation, 2, timeoutMs, timeoutMs, ends);
    await until('the request', () => extension.received.length > count);
    return ends;
  };
  const complete = async (completed = true): Promise<void> => {
    for (const end of trips.splice(0)) end(completed);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { rig, clock, extension, trips, attempt, complete };
}

test.serial(
  'REQUESTER-3: a timeout waits for a round trip, and a reply that comes before its end counts',
  async (t) => {
    const { clock, extension, trips, attempt, complete } = await held(t);
    const [answered, hung] = [await attempt(100), await attempt(100)];
    clock.advance(99);
    t.is(trips.length, 0);
    clock.advance(1);
    t.is(trips.length, 2, 'one is asked for by each');
    extension.received[0]?.respond('in the buffer');
    await until('the reply', () => answered.kinds.length === 1);
    t.deepEqual(hung.kinds, [], 'not judged yet');
    await complete();
    t.deepEqual([answered.kinds, hung.kinds], [['reply'], ['timeout']]);
  },
);

test.serial(
  'REQUESTER-3: an attempt that was answered while it waited is not ended again, nor is the next one in its slot',
  async (t) => {
    const { rig, clock, extension, attempt, complete } = await held(t);
    const first = await attempt(100);
    clock.advance(100);
    extension.received[0]?.respond('x');
    await until('the reply', () => first.kinds.length === 1);
    const second = await attempt(100);
    t.is(rig.requester.counts().pending, 1, 'the slot is used again');
    await complete();
    t.deepEqual([first.kinds, second.kinds], [['reply'], []]);
    clock.advance(100);
    await complete();
    t.deepEqual(second.kinds, ['timeout']);
  },
);

test.serial('REQUESTER-3: an attempt whose round trip is lost with the connection ends as disconnected', async (t) => {
  const { clock, attempt, complete } = await held(t);
  const ends = await attempt(100);
  clock.advance(100);
  await complete(false);
  t.deepEqual(ends.kinds, ['disconnected']);
});

const stallOf = test.macro<[timeoutMs: number, roundTripMs: number, stoodStill: boolean]>({
  exec: async (t, timeoutMs, roundTripMs, stoodStill) => {
    const { clock, attempt, complete } = await held(t as Context);
    const ends = await attempt(timeoutMs);
    clock.advance(timeoutMs);
    clock.advance(roundTripMs);
    await complete();
    t.deepEqual(ends.kinds, stoodStill ? [] : ['timeout']);
    if (!stoodStill) return;
    clock.advance(timeoutMs - 1);
    await complete();
    t.deepEqual(ends.kinds, [], 'it has its whole time again');
    clock.advance(1);
    clock.advance(roundTripMs);
    await complete();
    t.deepEqual(ends.kinds, ['timeout'], 'once');
  },
  title: (_, timeoutMs, roundTripMs, stoodStill) =>
    `REQUESTER-7: of ${timeoutMs} ms, a round trip of ${roundTripMs} ms ${stoodStill ? 'starts them once more' : 'is none of the server standing still'}`,
});
test.serial(stallOf, 5000, 499, false);
test.serial(stallOf, 5000, 500, true);
test.serial(stallOf, 5000, 7000, true);
test.serial(stallOf, 100, 99, false);
test.serial(stallOf, 100, 100, true);

const lateTimerOf = test.macro<[timeoutMs: number, lateMs: number, stoodStill: boolean]>({
  exec: async (t, timeoutMs, lateMs, stoodStill) => {
    const { clock, attempt, complete } = await held(t as Context);
    const ends = await attempt(timeoutMs);
    clock.stall(timeoutMs + lateMs);
    clock.advance(0);
    await complete();
    t.deepEqual(ends.kinds, stoodStill ? [] : ['timeout']);
    if (!stoodStill) return;
    clock.stall(timeoutMs + lateMs);
    clock.advance(0);
    await complete();
    t.deepEqual(ends.kinds, ['timeout'], 'once');
  },
  title: (_, timeoutMs, lateMs, stoodStill) =>
    `REQUESTER-7: of ${timeoutMs} ms, a timer that is ${lateMs} ms late ${stoodStill ? 'starts them once more' : 'is none of a process standing still'}`,
});
test.serial(lateTimerOf, 5000, 499, false);
test.serial(lateTimerOf, 5000, 500, true);
test.serial(lateTimerOf, 100, 99, false);
test.serial(lateTimerOf, 100, 100, true);

test.serial(
  'REQUESTER-7: an attempt that was out while the server stood still has its time once more, one sent after that has not',
  async (t) => {
    const { rig, clock, extension, attempt, complete } = await held(t);
    const [answered, hung] = [await attempt(1000), await attempt(1000)];
    rig.stall();
    const later = await attempt(1000);
    clock.advance(1000);
    await complete();
    t.deepEqual([answered.kinds, hung.kinds, later.kinds], [[], [], ['timeout']]);
    extension.received[0]?.respond('the server goes on');
    await until('the reply', () => answered.kinds.length === 1);
    rig.stall();
    clock.advance(1000);
    await complete();
    t.deepEqual([answered.kinds, hung.kinds], [['reply'], ['timeout']]);
  },
);

test.serial('REQUESTER-1: a late reply to a slot used again is dropped, and so is a second one', async (t) => {
  const clock = new SimulatedClock();
  const { rig, invocation } = await caught(t, { clock });
  const requests: Msg[] = [];
  const extension = await startExtension(t.context.caller, 'ext.normalize', (request) => {
    requests.push(request);
    return null;
  });
  t.teardown(() => extension.stop());
  const first = new Ends();
  rig.requester.send(rig.route, invocation, 1, 100, 100, first);
  await until('the first request', () => requests.length === 1);
  clock.advance(100);
  await until('the timeout', () => first.kinds.length === 1);
  const second = new Ends();
  rig.requester.send(rig.route, invocation, 2, 100, 100, second);
  await until('the second request', () => requests.length === 2);
  t.is(rig.requester.counts().pending, 1, 'the slot is used again');
  requests[0]?.respond('late');
  requests[1]?.respond('right');
  requests[1]?.respond('twice');
  await until('all replies', () => rig.requester.counts().strayReplies === 2);
  t.deepEqual(first.kinds, ['timeout']);
  t.deepEqual(second.kinds, ['reply']);
  const body = (second.ends[0]?.reply as unknown as { body: Uint8Array } | undefined)?.body ?? [];
  t.is(Buffer.from(body).toString(), 'right');
});

test.serial('REQUESTER-5: a reply to a guessed subject reaches nobody', async (t) => {
  const { rig, invocation } = await caught(t);
  const requests: Msg[] = [];
  const extension = await startExtension(t.context.caller, 'ext.normalize', (request) => {
    requests.push(request);
    return null;
  });
  t.teardown(() => extension.stop());
  const seen = new Ends();
  rig.requester.send(rig.route, invocation, 1, 5000, 5000, seen);
  await until('the request', () => requests.length === 1);
  const subject = requests[0]?.reply ?? '';
  const base = subject.slice(0, subject.lastIndexOf('.') + 1);
  const guesses = [
    '0',
    '0-',
    `0-${'0'.repeat(12)}`,
    '-',
    `99999999999999999999-${'a'.repeat(12)}`,
    `zz-${'a'.repeat(12)}`,
    `${subject.slice(base.length)}0`,
  ];
  for (const guess of guesses) t.context.caller.publish(base + guess, 'forged');
  await until('the forged replies', () => rig.requester.counts().strayReplies === guesses.length);
  t.deepEqual(seen.kinds, []);
  t.not(subject.slice(base.length), '0-');
});

test.serial('REQUESTER-4: a listener that throws ends neither the reader nor another attempt', async (t) => {
  const { log, lines } = recordingLogger();
  const { rig, invocation } = await caught(t, { log });
  const extension = await startExtension(t.context.caller, 'ext.normalize', () => ({ body: 'x' }));
  t.teardown(() => extension.stop());
  const seen = new Ends();
  rig.requester.send(rig.route, invocation, 1, 5000, 5000, {
    attemptEnded: () => {
      throw new Error('boom');
    },
  });
  rig.requester.send(rig.route, invocation, 1, 5000, 5000, seen);
  await until('the second reply', () => seen.kinds.length === 1);
  t.is(lines.filter((line) => line.event === 'attempt_listener_failed').length, 1);
  t.is(rig.requester.counts().pending, 0);
});

test.serial('ROUTES-2: a route that no row may name is never published to', async (t) => {
  const { rig, invocation } = await caught(t);
  const heard: Msg[] = [];
  const spy = t.context.caller.subscribe('>', { callback: (_, message) => void heard.push(message) });
  await t.context.caller.flush();
  const seen = new Ends();
  for (const subject of [
    `${PREFIX}.invoke.normalize`,
    'ext.*',
    '$SYS.x',
    '_INBOX.a',
    'ext..a',
    `ext.${'x'.repeat(300)}`,
    'ext a',
  ])
    rig.requester.send(
      rig.prepare(null, { extensionId: 'a', version: 'v1', instanceId: null, subject, config: null }),
      invocation,
      1,
      100,
      100,
      seen,
    );
  t.deepEqual(seen.kinds, Array(7).fill('not_permitted'));
  await rig.connection.flush();
  await t.context.caller.flush();
  spy.unsubscribe();
  t.deepEqual(heard, []);
});

test.serial('requester: after close() attempts have ended and none is taken', async (t) => {
  const { rig, invocation } = await caught(t);
  const extension = await startExtension(t.context.caller, 'ext.normalize', () => null);
  t.teardown(() => extension.stop());
  const seen = new Ends();
  rig.requester.send(rig.route, invocation, 1, 5000, 5000, seen);
  rig.requester.close();
  t.deepEqual(seen.kinds, ['disconnected']);
  t.true(rig.connection.connected, 'a call that waits for its retry when the daemon stops gets its answer still');
  rig.requester.send(rig.route, invocation, 1, 5000, 5000, seen);
  t.deepEqual(seen.kinds, ['disconnected', 'disconnected']);
});

/** A request that waits for the server's limit until `learned` is called. */
async function waiting(t: Context, timeoutMs: number) {
  const clock = new SimulatedClock(performance.now());
  const { rig, invocation } = await caught(t, { clock });
  let learned = (): void => undefined;
  let isKnown = false;
  rig.connection.isLimitKnownFor = () => isKnown;
  rig.connection.learnLimit = () =>
    new Promise((resolve) => {
      learned = () => {
        isKnown = true;
        resolve();
      };
    });
  const large = Object.assign(Object.create(invocation), { body: new Uint8Array(9000) }) as Invocation;
  const seen = new Ends();
  const received: Msg[] = [];
  const subscription = t.context.caller.subscribe('ext.normalize', {
    callback: (_, message) => void received.push(message),
  });
  t.teardown(() => subscription.unsubscribe());
  await t.context.caller.flush();
  rig.requester.send(rig.route, large, 1, timeoutMs, timeoutMs, seen);
  return { clock, rig, seen, received, learned: () => learned() };
}

test.serial(
  'REQUESTER-9: what waited for the limit for all of its time is not sent, and charged to nobody',
  async (t) => {
    const { clock, seen, received, learned } = await waiting(t, 300);
    clock.advance(301);
    learned();
    await until('its end', () => seen.ends.length === 1);
    await t.context.caller.flush();
    t.is(seen.ends[0]?.end, 'disconnected');
    t.is(received.length, 0);
  },
);

test.serial('REQUESTER-9: what waited for the limit ends when it would have ended, not later', async (t) => {
  const { clock, seen, received, learned } = await waiting(t, 1000);
  clock.advance(400);
  learned();
  await until('it is sent', () => received.length === 1);
  clock.advance(599);
  await t.context.caller.flush();
  t.is(seen.ends.length, 0);
  clock.advance(2);
  await until('its end', () => seen.ends.length === 1);
  t.is(seen.ends[0]?.end, 'timeout');
});
