// INTAKE-ADMISSION-1..3 and INTAKE-5: probes, episodes, and what is refused, on a connection of the test's making; then on a real server.
import test from 'ava';
import type { Msg } from '#@nats-io/nats-core';
import type { BrokerConnection } from '../../../src/nats/connection/connection.js';
import { CONTEXT_SOURCES } from '../../../src/nats/intake/caller-context.js';
import { Intake } from '../../../src/nats/intake/intake.js';
import { IntakeAdmission, type OverloadEdge } from '../../../src/nats/intake/intake-admission.js';
import { Replies } from '../../../src/nats/intake/replies.js';
import { HeaderBlock } from '../../../src/nats/wire/header-block.js';
import { Subjects } from '../../../src/nats/wire/subjects.js';
import { silentLogger } from '../../../src/telemetry/log.js';
import { TestServer } from '../../helpers/nats-server.js';
import { SimulatedClock } from '../../helpers/simulated-clock.js';
import { until } from '../../helpers/until.js';
import { PREFIX, Rig, systemClock } from '../wire-rig.js';

const TARGET_MS = 50;

/** Probes are answered, and the connection lost, when the test says so. */
class FakeConnection {
  connected = true;
  readonly maxPayload = 1_000_000;
  readonly published: { readonly subject: string; readonly block: string; readonly body: string }[] = [];
  /** Round trips that were asked for. */
  probes = 0;
  take: (message: Msg) => void = () => undefined;
  #answer: ((isAnswered: boolean) => void) | null = null;
  readonly #listeners: ((state: 'connected' | 'disconnected') => void)[] = [];

  onState(listener: (state: 'connected' | 'disconnected') => void): void {
    this.#listeners.push(listener);
  }

  subscribe(subject: string, _queue: string | null, callback: (message: Msg) => void) {
    if (subject.startsWith(PREFIX)) this.take = callback;
    return { denied: false, drain: async () => undefined, unsubscribe: () => undefined };
  }

  publish(subject: string, _reply: string, block: string, body: Uint8Array): boolean {
    this.published.push({ subject, block, body: Buffer.from(body).toString() });
    return true;
  }

  roundTrip(): Promise<boolean> {
    this.probes += 1;
    return new Promise((resolve) => {
      this.#answer = resolve;
    });
  }

  async answer(isAnswered = true): Promise<void> {
    this.#answer?.(isAnswered);
    this.#answer = null;
    await Promise.resolve();
  }

  async set(connected: boolean): Promise<void> {
    this.connected = connected;
    for (const listener of this.#listeners) listener(connected ? 'connected' : 'disconnected');
    if (!connected) await this.answer(false);
  }
}

async function scene() {
  const connection = new FakeConnection();
  const clock = new SimulatedClock(1000);
  const edges: OverloadEdge[] = [];
  let idleMs = 0;
  const admission = new IntakeAdmission({
    connection,
    clock,
    idleMs: () => idleMs,
    targetMs: TARGET_MS,
    onEdge: (edge) => edges.push(edge),
  });
  clock.advance(1);
  await connection.answer();
  return {
    ...{ connection, clock, edges, admission },
    idle: (ms: number) => {
      idleMs += ms;
      clock.advance(ms);
    },
    /** A call every ten milliseconds; how many were refused. */
    calls: (forMs: number): number => {
      let refused = 0;
      for (let ms = 0; ms < forMs; ms += 10) {
        if (admission.refuses(clock.now())) refused += 1;
        clock.advance(10);
      }
      return refused;
    },
  };
}

test('INTAKE-ADMISSION-1: a probe after a connect, then one at a time, at most one in 25 ms, and none without calls', async (t) => {
  const { connection, clock, admission, calls } = await scene();
  t.is(connection.probes, 1);
  clock.advance(60_000);
  t.is(connection.probes, 1);
  calls(100);
  t.is(connection.probes, 2, 'the one in flight is not answered');
  await connection.answer();
  for (let i = 0; i < 20; i++) {
    admission.refuses(clock.now());
    await connection.answer();
    clock.advance(5);
  }
  t.true(connection.probes <= 6, `${connection.probes} within 100 ms`);
  await connection.set(false);
  const before = connection.probes;
  calls(100);
  t.is(connection.probes, before, 'none while it is disconnected');
  await connection.set(true);
  t.is(connection.probes, before + 1);
});

test('INTAKE-ADMISSION-2: an episode is reported with its first refusal and ten seconds after the last one, with what it refused', async (t) => {
  const { connection, clock, edges, admission, calls } = await scene();
  t.is(calls(240), 0, 'no queue has been standing for long enough');
  t.deepEqual(edges, []);
  const refused = calls(100);
  t.true(refused > 0);
  t.like(admission.counts(), { isOverloaded: true, refused });
  t.like(edges, [{ isOver: false, refused: 1 }]);
  // The probe in flight is older than the target and the interval together.
  t.true((edges[0]?.queueDelayMs ?? 0) >= TARGET_MS + 200);
  await connection.answer();
  clock.advance(6000);
  // The next queue within the ten seconds belongs to the same episode.
  const more = calls(500);
  t.true(more > 0);
  await connection.answer();
  clock.advance(9900);
  t.is(edges.length, 1);
  clock.advance(200);
  t.like(edges[1], { isOver: true, targetMs: TARGET_MS, refused: refused + more });
  t.like(admission.counts(), { isOverloaded: false, refused: refused + more, refusedShare: 0, queueDelayMs: 0 });
  t.is(clock.armed, 0);
});

test('INTAKE-ADMISSION-2: after stop() no end is reported, and no timer is left', async (t) => {
  const { clock, edges, admission, calls } = await scene();
  calls(400);
  admission.stop();
  t.is(clock.armed, 0);
  t.is(edges.length, 1);
});

test('INTAKE-ADMISSION-3: a connection that is lost while calls are refused refuses none on the next, where the way is another one', async (t) => {
  const { connection, clock, edges, calls } = await scene();
  t.true(calls(400) > 0);
  await connection.set(false);
  t.is(calls(500), 0);
  await connection.set(true);
  t.is(calls(300), 0, 'its way is not known yet');
  await connection.answer();
  t.is(calls(40), 0);
  clock.advance(20_000);
  t.deepEqual(
    edges.map(({ isOver }) => isOver),
    [false, true],
  );
});

test('ADAPTIVE-ADMISSION-3: a server that stands still, or a slow network, makes no call be refused while the event loop is idle', async (t) => {
  const { admission, clock, idle } = await scene();
  for (let i = 0; i < 200; i++) {
    t.false(admission.refuses(clock.now()));
    clock.advance(8);
    idle(2);
  }
});

test('ADAPTIVE-ADMISSION-3: after the process was stopped, a probe from before measures nothing', async (t) => {
  const { connection, clock, admission, calls } = await scene();
  t.is(calls(40), 0);
  t.is(connection.probes, 2);
  clock.stall(60_000);
  t.is(calls(500), 0);
  await connection.answer();
  t.is(admission.counts().queueDelayMs, 0);
});

function intakeOf(connection: FakeConnection, refuses: () => boolean) {
  const handled: string[] = [];
  const broker = connection as unknown as BrokerConnection;
  const replies = new Replies(broker, systemClock, () => 'abc');
  const admission = {
    refuses,
    stop: () => undefined,
    refusal: { code: 'overloaded', message: 'm', retryAfterMs: 1000, details: { reason: 'admission' } } as const,
  };
  const settings = {
    ...{ replyPrefixes: ['_INBOX'], minBudgetMs: 10, maxBudgetMs: 60_000, maxBodyBytes: null, admission },
    context: { from: CONTEXT_SOURCES, bodyMaxBytes: 65_536, environment: null },
    takesSelfCheck: (subject: string) => subject.includes('$ready'),
  };
  const subjects = new Subjects(PREFIX);
  const intake = new Intake(broker, replies, subjects, systemClock, silentLogger, settings, (invocation) => {
    handled.push(invocation.extensionId);
    invocation.refuse({ code: 'extension_not_found', message: 'm' });
  });
  intake.start();
  return { intake, handled };
}

/** Its headers and body throw when they are read. */
const sealed = (subject: string, reply: string): Msg => {
  const touched = (): never => {
    throw new Error('it was read');
  };
  return {
    subject,
    reply,
    get _msg() {
      return touched();
    },
    get _rdata() {
      return touched();
    },
    get data() {
      return Buffer.alloc(0);
    },
  } as unknown as Msg;
};

test('INTAKE-5: a call that admission refuses gets one reply, is counted, and neither its headers nor its body are read', (t) => {
  const connection = new FakeConnection();
  const { intake, handled } = intakeOf(connection, () => true);
  connection.take(sealed(`${PREFIX}.invoke.a`, '_INBOX.1'));
  connection.take(sealed(`${PREFIX}.invoke.a.acme`, '_INBOX.2'));
  t.deepEqual(
    connection.published.map(({ subject }) => subject),
    ['_INBOX.1', '_INBOX.2'],
  );
  t.regex(connection.published[0]?.block ?? '', /Extreg-Error: overloaded\r\nNats-Service-Error-Code: 429\r\n/);
  t.deepEqual(JSON.parse(connection.published[0]?.body ?? ''), {
    error: {
      ...{ code: 'overloaded', message: 'm', extension_id: 'a' },
      ...{ retryable: true, retry_after_ms: 1000, details: { reason: 'admission' } },
    },
  });
  t.deepEqual(handled, []);
  t.like(intake.counts(), { accepted: 2, inFlight: 0, refused: new Map([['overloaded', 2]]) });
});

test('INTAKE-5: admission is not asked for self-checks, calls of this process, and what gets no answer anyway', (t) => {
  const connection = new FakeConnection();
  let asked = 0;
  const { intake, handled } = intakeOf(connection, () => ++asked > 0);
  connection.take(sealed(`${PREFIX}.invoke.$ready.1`, '_INBOX.x'));
  connection.take(sealed(`${PREFIX}.invoke.a`, ''));
  const answer = { succeeded: () => t.fail(), refused: () => t.pass() };
  t.true(intake.takeLocal('local', null, HeaderBlock.NONE, Buffer.alloc(0), answer));
  t.is(asked, 0);
  t.deepEqual(handled, ['local']);
});

test('INTAKE-5: under a flood on a real server each call gets exactly one reply, some are refused as overloaded, and none is after it', async (t) => {
  const server = await TestServer.start();
  t.teardown(() => server.stop());
  const caller = await server.connect();
  const edges: OverloadEdge[] = [];
  let isExpensive = true;
  const world: { admission: IntakeAdmission | null } = { admission: null };
  const rig = await Rig.start(server, {
    settings: {
      admission: {
        refuses: (nowMs) => world.admission?.refuses(nowMs) === true,
        get refusal() {
          return (world.admission as IntakeAdmission).refusal;
        },
        stop: () => world.admission?.stop(),
      },
    },
    handle: () => (invocation) => {
      // What a call costs this process, whatever the machine does beside.
      for (const endMs = performance.now() + (isExpensive ? 1 : 0); performance.now() < endMs; );
      invocation.refuse({ code: 'extension_not_found', message: 'served' });
    },
  });
  t.teardown(() => rig.close());
  world.admission = new IntakeAdmission({
    ...{ connection: rig.connection, clock: systemClock, targetMs: TARGET_MS, onEdge: (edge) => edges.push(edge) },
    idleMs: () => performance.eventLoopUtilization().idle,
  });
  t.teardown(() => world.admission?.stop());
  await rig.connection.flush();

  const CALLS = 3000;
  const errors: string[][] = Array.from({ length: CALLS + 100 }, () => []);
  caller.subscribe('_INBOX.flood.*', {
    callback: (_, message) =>
      void errors[Number(message.subject.split('.')[2])]?.push(message.headers?.get('Extreg-Error') ?? 'none'),
  });
  const call = (n: number) => caller.publish(`${PREFIX}.invoke.a`, 'x', { reply: `_INBOX.flood.${n}` });
  for (let n = 0; n < CALLS; n++) call(n);
  await until('each has a reply', () => errors.slice(0, CALLS).every((got) => got.length > 0));
  const of = (code: string): number => errors.filter(([first]) => first === code).length;
  t.true(of('overloaded') > 0);
  t.is(of('overloaded') + of('extension_not_found'), CALLS);
  t.is(world.admission.counts().refused, of('overloaded'));
  t.like(edges, [{ isOver: false, targetMs: TARGET_MS }]);

  isExpensive = false;
  const before = of('overloaded');
  for (let n = CALLS; n < CALLS + 100; n++) {
    call(n);
    await until('a reply', () => errors[n]?.length === 1);
  }
  t.is(of('overloaded'), before);
  await caller.flush();
  t.true(errors.every((got) => got.length === 1));
  t.like(rig.intake.counts(), { accepted: CALLS + 100, inFlight: 0 });
});
