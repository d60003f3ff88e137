// What each end of an attempt means: to the caller, to the target's counts, and to its breaker, closed and half-open.
// The real core and the real edges on a real nats-server; time is simulated where the wire does not need it.

import anyTest, { type ExecutionContext, type TestFn } from 'ava';
import type { Msg, NatsConnection } from '#@nats-io/nats-core';
import { type Answer, startExtension, TestServer } from '../../helpers/nats-server.js';
import { extensionRow, factsRow, instanceRow, registryEntry } from '../../helpers/registry-rows.js';
import { SimulatedClock } from '../../helpers/simulated-clock.js';
import { until } from '../../helpers/until.js';
import { CoreRig, type CoreRigOptions, type Told } from '../core-rig.js';
import { rawBlock } from '../wire-rig.js';

interface World {
  server: TestServer;
  caller: NatsConnection;
  callee: NatsConnection;
}

const test = anyTest as TestFn<World>;
type Context = ExecutionContext<World>;

const MAX_PAYLOAD = 8192;
const TIMEOUT_MS = 1000;
const ADMIN = { user: 'admin', pass: 'admin' };
const DAEMON = { user: 'daemon', password: 'daemon' };

test.before(async (t) => {
  const server = await TestServer.start(`
    max_payload: ${MAX_PAYLOAD}
    authorization { users: [
      { user: admin, password: admin }
      { user: daemon, password: daemon, permissions: { publish: { deny: ["ext.*.denied"] }, subscribe: ">" } }
    ] }`);
  t.context = { server, caller: await server.connect(ADMIN), callee: await server.connect(ADMIN) };
});
test.after.always((t) => t.context.server.stop());

/** An open breaker whose open time is over: the next attempt is a probe. */
const HALF_OPEN = {
  facts: factsRow({ state: 'open', opened_ago_ms: 60_000, open_remaining_ms: 0, trips: 1, epoch: 1 }),
};

/** A rig on simulated time; its one extension is named `name` and holds what it gets, unless `answer` says otherwise. */
async function worldOf(
  t: Context,
  options: CoreRigOptions & {
    readonly name?: string;
    readonly halfOpen?: boolean;
    readonly nobody?: boolean;
    readonly maxInFlight?: number;
    readonly answer?: (request: Msg) => Answer;
  } = {},
) {
  const { server, caller, callee } = t.context;
  const { name = 'x', halfOpen = false, nobody = false, maxInFlight, answer = () => null } = options;
  const clock = new SimulatedClock();
  const policy = maxInFlight === undefined ? null : { max_in_flight: maxInFlight };
  const rig = await CoreRig.start(
    t,
    server,
    caller,
    (subjectOf) => [
      registryEntry(
        extensionRow(name, { subject: subjectOf(name), timeout_ms: TIMEOUT_MS, policy }),
        halfOpen ? HALF_OPEN : {},
      ),
    ],
    { clock, connection: DAEMON, ...options },
  );
  const extension = nobody ? null : await startExtension(callee, rig.subjectOf(name), answer);
  t.teardown(() => extension?.stop());
  const received = extension?.received ?? [];
  return { rig, clock, received, extension };
}

type Counted = 'success' | 'failure' | 'neutral';

interface Row {
  readonly id?: string;
  /** How it ends. */
  readonly what: string;
  /** The answer, or what happens once the extension has the request; none: the request does not reach it. */
  readonly answer?: Exclude<Answer, null> | ((world: { clock: SimulatedClock; request: Msg }) => void);
  /** Once the caller has been told. */
  readonly afterwards?: (world: { clock: SimulatedClock; request: Msg }) => void;
  readonly extension?: { readonly name?: string; readonly nobody?: boolean };
  readonly call?: { readonly body?: Uint8Array; readonly headers?: readonly string[] };
  readonly told: Partial<Told>;
  readonly counted: Counted;
}

const ends = test.macro<[row: Row, state: 'closed' | 'half-open']>({
  exec: async (t, row, state) => {
    const halfOpen = state === 'half-open';
    const breaker = halfOpen ? { half_open_max_requests: 1, half_open_successes: 1 } : {};
    const { rig, clock, received } = await worldOf(t, { halfOpen, breaker, ...row.extension });
    const id = row.extension?.name ?? 'x';
    const { successes, failures } = rig.counts(id);
    const call = async () => {
      const before = received.length;
      const called = rig.call(id, row.call?.body, row.call?.headers);
      let request: Msg | null = null;
      if (row.answer !== undefined) {
        await until('the request', () => received.length > before);
        request = received[before] as Msg;
        if (typeof row.answer === 'function') row.answer({ clock, request });
        else request.respond(row.answer.body, row.answer.headers === undefined ? {} : { headers: row.answer.headers });
      }
      t.like(await rig.told(called), row.told);
      if (request !== null) row.afterwards?.({ clock, request });
      await until('its end', () => rig.inFlight(id) === 0);
      await t.context.caller.flush();
      t.is(called.replies.length, 1);
      t.is(received.length, before + (row.answer === undefined ? 0 : 1));
    };
    await call();
    t.deepEqual(rig.counts(id), {
      successes: successes + (row.counted === 'success' ? 1 : 0),
      failures: failures + (row.counted === 'failure' ? 1 : 0),
    });
    const target = rig.target(id);
    const after = { success: 'closed', failure: 'open', neutral: 'half_open' } as const;
    t.is(target.publishedState, halfOpen ? after[row.counted] : 'closed');
    t.is(target.probes, 0);
    // The one permit was given back, so the next call ends the same way.
    if (halfOpen && row.counted === 'neutral') await call();
  },
  title: (_, { id, what, counted }, state) =>
    `${id ?? 'FM 31'}: ${what} ${counted === 'neutral' ? 'is neutral' : `is a ${counted}`} (${state})`,
});

const block = (...lines: string[]) => ({
  headers: rawBlock(`NATS/1.0\r\n${lines.map((l) => `${l}\r\n`).join('')}\r\n`),
});
const serviceError = (code: string) => ({
  body: 'why',
  ...block(`Nats-Service-Error-Code: ${code}`, 'Nats-Service-Error: no'),
});

const PASSED: Partial<Told> = { error: '', status: '', body: 'fine', retryable: null, details: null };
const failed = (extension_code: number, extension_error = 'no'): Partial<Told> => ({
  error: 'extension_error',
  status: '502',
  retryable: false,
  details: { extension_code, extension_error, maybe_executed: true },
});
const passedError = (status: string): Partial<Told> => ({ error: '', status, body: 'why', retryable: null });
const TIMED_OUT: Partial<Told> = {
  error: 'extension_timeout',
  status: '504',
  retryable: false,
  details: { maybe_executed: true },
};
const NOBODY: Partial<Told> = {
  error: 'extension_unavailable',
  status: '503',
  retryable: true,
  details: { reason: 'no_responders' },
};
const OUT_OF_BUDGET: Partial<Told> = {
  error: 'deadline_exceeded',
  status: '504',
  retryable: false,
  details: { maybe_executed: true },
};
const budget = (value: string) => ({ headers: [`Extreg-Timeout-Ms: ${value}`] });
const badBudget = (value: string): Row => ({
  id: 'FM 27',
  what: `a budget of ${value} ms, which is refused,`,
  call: budget(value),
  told: {
    error: 'invalid_request',
    status: '400',
    retryable: false,
    details: { header: 'Extreg-Timeout-Ms', minimum: 10, maximum: 60_000 },
  },
  counted: 'neutral',
});

const ROWS: readonly Row[] = [
  { what: 'a reply', answer: { body: 'fine' }, told: PASSED, counted: 'success' },
  { what: 'an empty reply', answer: {}, told: { ...PASSED, body: '' }, counted: 'success' },
  { what: 'a reply with headers', answer: { body: 'fine', ...block('A: b') }, told: PASSED, counted: 'success' },
  ...['1', '400', '404', '428', '430', '499', '0404'].map(
    (code): Row => ({
      what: `a service error of ${code}`,
      answer: serviceError(code),
      told: passedError(code),
      counted: 'success',
    }),
  ),
  ...['429', '0429'].map(
    (code): Row => ({
      id: 'FM 35',
      what: `a service error of ${code}`,
      answer: serviceError(code),
      told: passedError(code),
      counted: 'neutral',
    }),
  ),
  ...['500', '503', '599', '99999', '999999999'].map(
    (code): Row => ({
      what: `a service error of ${code}`,
      answer: serviceError(code),
      told: failed(Number(code)),
      counted: 'failure',
    }),
  ),
  ...['', '0', '-1', '-404', '+404', '404.0', '4e2', '0x194', 'four', '404 not found', '9999999999', '429,500'].map(
    (code): Row => ({
      what: `a service error whose code is '${code}'`,
      answer: serviceError(code),
      told: failed(500),
      counted: 'failure',
    }),
  ),
  {
    what: 'a service error without a code',
    answer: { body: 'why', ...block('Nats-Service-Error: lost') },
    told: failed(500, 'lost'),
    counted: 'failure',
  },
  {
    what: 'an empty service error without a code',
    answer: block('Nats-Service-Error:'),
    told: failed(500, ''),
    counted: 'failure',
  },
  {
    what: 'a code without a service error',
    answer: block('Nats-Service-Error-Code: 500'),
    told: failed(500, ''),
    counted: 'failure',
  },
  {
    what: 'a service error spelled in other letters, which is none,',
    answer: { body: 'fine', ...block('nats-service-error-code: 500') },
    told: PASSED,
    counted: 'success',
  },
  {
    what: 'a reply with a malformed header block',
    answer: { body: 'fine', headers: rawBlock('NATS/1.0\r\nbad name: x\r\n\r\n') },
    told: failed(500, 'the reply has a malformed header block'),
    counted: 'failure',
  },
  {
    what: 'an empty reply with the status of no responders, which nobody can tell from it,',
    answer: { headers: rawBlock('NATS/1.0 503\r\n\r\n') },
    told: NOBODY,
    counted: 'failure',
  },
  {
    what: 'a reply with that status and a body',
    answer: { body: 'fine', headers: rawBlock('NATS/1.0 503\r\n\r\n') },
    told: PASSED,
    counted: 'success',
  },
  {
    what: 'an empty reply with that status and a service error',
    answer: { headers: rawBlock('NATS/1.0 503\r\nNats-Service-Error: no\r\n\r\n') },
    told: failed(500),
    counted: 'failure',
  },
  {
    what: 'a timeout',
    answer: ({ clock }) => clock.advance(TIMEOUT_MS),
    told: TIMED_OUT,
    counted: 'failure',
  },
  {
    id: 'FM 19',
    what: 'a timeout whose timer fires late',
    answer: ({ clock }) => {
      // Less than what gives an attempt its time once more (REQUESTER-7).
      clock.stall(1.4 * TIMEOUT_MS);
      clock.advance(0);
    },
    told: TIMED_OUT,
    counted: 'failure',
  },
  {
    what: 'a reply in the last moment',
    answer: ({ clock, request }) => {
      clock.advance(TIMEOUT_MS - 1);
      request.respond('fine');
    },
    told: PASSED,
    counted: 'success',
  },
  { what: 'nobody there', extension: { nobody: true }, told: NOBODY, counted: 'failure' },
  {
    what: 'a subject that NATS does not let us publish to',
    extension: { name: 'denied', nobody: true },
    told: { error: 'not_connected', status: '503', retryable: false, details: { reason: 'not_permitted' } },
    counted: 'neutral',
  },
  {
    what: 'a request that is too large with our headers',
    call: { body: new Uint8Array(MAX_PAYLOAD) },
    told: { error: 'payload_too_large', status: '413', retryable: false, details: { direction: 'request' } },
    counted: 'neutral',
  },
  {
    what: 'a reply that is too large with our headers',
    answer: { body: new Uint8Array(MAX_PAYLOAD) },
    told: { error: 'payload_too_large', status: '413', retryable: false },
    counted: 'success',
  },
  {
    id: 'FM 27',
    what: 'a reply after the budget of the caller',
    call: budget('10'),
    answer: ({ clock }) => clock.advance(10),
    afterwards: ({ clock, request }) => {
      clock.advance(40);
      request.respond('fine');
    },
    told: OUT_OF_BUDGET,
    counted: 'success',
  },
  {
    id: 'FM 27',
    what: 'a service error of 429 after the budget of the caller',
    call: budget('10'),
    answer: ({ clock }) => clock.advance(10),
    afterwards: ({ request }) => request.respond('', block('Nats-Service-Error-Code: 429')),
    told: OUT_OF_BUDGET,
    counted: 'neutral',
  },
  {
    id: 'FM 27',
    what: 'a timeout after the budget of the caller',
    call: budget('10'),
    answer: ({ clock }) => clock.advance(10),
    afterwards: ({ clock }) => clock.advance(TIMEOUT_MS - 10),
    told: OUT_OF_BUDGET,
    counted: 'failure',
  },
  {
    id: 'FM 27',
    what: 'a timeout within a budget that is longer',
    call: budget('60000'),
    answer: ({ clock }) => clock.advance(TIMEOUT_MS),
    told: TIMED_OUT,
    counted: 'failure',
  },
  ...['9', '1', '0', '-10', '1e3', '60001'].map(badBudget),
];
for (const row of ROWS) {
  test(ends, row, 'closed');
  test(ends, row, 'half-open');
}

test('FM 27: a thousand hostile callers with the smallest budget open nothing, and those below it reach nobody', async (t) => {
  const { rig, clock, received } = await worldOf(t);
  const below = Array.from({ length: 1000 }, () => rig.call('x', '', ['Extreg-Timeout-Ms: 1']));
  const smallest = Array.from({ length: 1000 }, () => rig.call('x', '', ['Extreg-Timeout-Ms: 10']));
  await until('the requests', () => received.length === 1000);
  clock.advance(10);
  for (const called of below) t.is((await rig.told(called)).error, 'invalid_request');
  for (const called of smallest) t.is((await rig.told(called)).error, 'deadline_exceeded');
  t.is(rig.inFlight('x'), 1000, 'the extension still works on them');
  clock.advance(40);
  for (const request of received) request.respond('fine');
  await until('their ends', () => rig.inFlight('x') === 0);
  t.deepEqual(rig.counts('x'), { successes: 1000, failures: 0 });
  t.is(rig.target('x').mode, 'closed');
  await t.context.caller.flush();
  t.true([...below, ...smallest].every((called) => called.replies.length === 1));
});

test('FM 28: calls that we refuse ourselves count for nobody, and take no permit of a half-open breaker', async (t) => {
  const { rig, received } = await worldOf(t, { halfOpen: true, maxInFlight: 1 });
  const held = rig.call('x');
  await until('the request', () => received.length === 1);
  const refused = Array.from({ length: 100 }, () => rig.call('x'));
  for (const called of refused)
    t.like(await rig.told(called), { error: 'overloaded', status: '429', retryable: true, details: {} });
  t.deepEqual(rig.counts('x'), { successes: 0, failures: 0 });
  t.is(rig.target('x').probes, 1);
  received[0]?.respond('fine');
  t.like(await rig.told(held), PASSED);
  t.is(received.length, 1);
  t.is(rig.target('x').mode, 'halfOpen');
});

test("FM 29: one call's timeout ends no other", async (t) => {
  const { rig, clock, received } = await worldOf(t);
  const hung = rig.call('x');
  await until('the request', () => received.length === 1);
  clock.advance(TIMEOUT_MS / 2);
  const others = Array.from({ length: 10 }, () => rig.call('x'));
  await until('the requests', () => received.length === 11);
  clock.advance(TIMEOUT_MS / 2);
  t.is((await rig.told(hung)).error, 'extension_timeout');
  t.is(rig.inFlight('x'), 10);
  for (const request of received) request.respond('fine');
  for (const called of others) t.like(await rig.told(called), PASSED);
  t.deepEqual(rig.counts('x'), { successes: 10, failures: 1 });
  await until('the late reply', () => rig.requester.counts().strayReplies === 1);
  t.is(hung.replies.length, 1);
});

test('FM 30: what an extension works on at a time is bounded by max_in_flight, also when its callers have gone', async (t) => {
  const { rig, clock, received } = await worldOf(t, { maxInFlight: 2 });
  let answered = 0;
  for (let round = 0; round < 5; round += 1) {
    const impatient = [rig.call('x', '', ['Extreg-Timeout-Ms: 10']), rig.call('x', '', ['Extreg-Timeout-Ms: 10'])];
    await until('the requests', () => received.length === 2 * round + 2);
    clock.advance(10);
    for (const called of impatient) t.is((await rig.told(called)).error, 'deadline_exceeded');
    t.is((await rig.told(rig.call('x'))).error, 'overloaded');
    t.is(received.length - answered, 2, 'it works on two still, and a third was not sent');
    for (const request of received.slice(answered)) request.respond('fine');
    answered += 2;
    await until('their ends', () => rig.inFlight('x') === 0);
  }
  t.deepEqual(rig.counts('x'), { successes: 10, failures: 0 });
});

const absence = test.macro<[what: string, passMs: number, halfOpen: boolean, counted: Counted]>({
  exec: async (t, _, passMs, halfOpen, counted) => {
    const world = await worldOf(t, { halfOpen, answer: () => ({ body: 'fine' }) });
    const { rig, clock, extension } = world;
    t.like(await rig.told(rig.call('x')), PASSED);
    extension?.stop();
    await t.context.callee.flush();
    if (passMs > 0) {
      t.like(await rig.told(rig.call('x')), NOBODY, 'the absence begins');
      clock.advance(passMs);
    }
    const before = rig.counts('x').failures;
    t.like(await rig.told(rig.call('x')), NOBODY);
    t.is(rig.counts('x').failures - before, counted === 'failure' ? 1 : 0);
    t.is(rig.target('x').mode, halfOpen ? 'open' : 'closed');
  },
  title: (_, what, _passMs, _halfOpen, counted) => `FM 32: nobody there ${what} is ${counted}`,
});
test(absence, 'right after a success', 0, false, 'neutral');
test(absence, 'until its grace is over', 1999, false, 'neutral');
test(absence, 'once its grace is over', 2000, false, 'failure');
test(absence, 'right after a success, in half-open,', 0, true, 'failure');

test('FM 32: a rolling restart of a busy extension opens nothing, and a longer absence does', async (t) => {
  const { rig, clock, extension } = await worldOf(t, { answer: () => ({ body: 'fine' }) });
  for (let i = 0; i < 20; i += 1) t.like(await rig.told(rig.call('x')), PASSED);
  extension?.stop();
  await t.context.callee.flush();
  for (let i = 0; i < 19; i += 1) {
    t.like(await rig.told(rig.call('x')), NOBODY);
    clock.advance(100);
  }
  t.deepEqual([rig.counts('x').failures, rig.target('x').mode], [0, 'closed']);
  clock.advance(200);
  for (let i = 0; i < 5; i += 1) t.like(await rig.told(rig.call('x')), NOBODY);
  t.deepEqual([rig.counts('x').failures, rig.target('x').mode], [5, 'open']);
});

const rests = test.macro<[value: string, restMs: number]>({
  exec: async (t, value, restMs) => {
    const { server, caller, callee } = t.context;
    const clock = new SimulatedClock();
    const rig = await CoreRig.start(
      t,
      server,
      caller,
      (subjectOf) => [
        registryEntry(extensionRow('x', { subject: subjectOf('x') }), {
          instances: [
            instanceRow('x', 'busy', { subject: subjectOf('busy') }),
            instanceRow('x', 'free', { subject: subjectOf('free') }),
          ],
        }),
      ],
      { clock, connection: DAEMON },
    );
    const busy = await startExtension(callee, rig.subjectOf('busy'), () =>
      block('Nats-Service-Error-Code: 429', `Retry-After: ${value}`),
    );
    const free = await startExtension(callee, rig.subjectOf('free'), () => ({ body: 'fine' }));
    t.teardown(() => {
      busy.stop();
      free.stop();
    });
    const turns = async (): Promise<string[]> => {
      const statuses = [];
      for (let i = 0; i < 2; i += 1) statuses.push((await rig.told(rig.call('x'))).status);
      return statuses;
    };
    t.deepEqual(await turns(), ['429', '']);
    if (restMs > 0) {
      clock.advance(restMs - 1);
      t.deepEqual(await turns(), ['', ''], 'it rests');
      clock.advance(1);
    }
    t.true((await turns()).includes('429'), 'it is called again');
    t.is(rig.counts('x').failures, 0);
    t.is(rig.target('x').mode, 'closed');
  },
  title: (_, value, restMs) => `FM 35: Retry-After '${value}' keeps an instance out for ${restMs} ms`,
});
test(rests, '3', 3000);
test(rests, '0.5', 500);
test(rests, '60', 60_000);
test(rests, '61', 60_000);
test(rests, '1000000000', 60_000);
test(rests, '999999999999', 60_000);
test(rests, '9'.repeat(400), 60_000);
test(rests, '0', 0);
test(rests, '-5', 0);
test(rests, '', 0);
test(rests, 'soon', 0);
test(rests, 'NaN', 0);
test(rests, '1e9', 0);
test(rests, 'Infinity', 0);
test(rests, 'Wed, 21 Oct 2026 07:28:00 GMT', 0);
