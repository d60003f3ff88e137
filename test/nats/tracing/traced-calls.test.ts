// Spans of real calls on a real nats-server, as an OpenTelemetry collector gets them. Serial: the library reads the environment of the process.
import type { BasicTracerProvider } from '@opentelemetry/sdk-trace-base';
import test, { type ExecutionContext } from 'ava';
import { headers, type Msg } from '#@nats-io/nats-core';
import type { Invocation, Route } from '../../../src/actors/ports/transport.js';
import { traceCalls } from '../../../src/nats/tracing/traced-calls.js';
import type { Logger } from '../../../src/telemetry/log.js';
import { silentLogger } from '../../../src/telemetry/log.js';
import { openTracer, type Span, type Tracer } from '../../../src/telemetry/traces/tracer.js';
import { readDocument } from '../../docs/tables.js';
import { startExtension, TestServer } from '../../helpers/nats-server.js';
import { extensionRow, registryEntry } from '../../helpers/registry-rows.js';
import { KIND, STATUS_ERROR, TraceCollector } from '../../helpers/trace-collector.js';
import { until } from '../../helpers/until.js';
import { CoreRig } from '../core-rig.js';
import { recordingLogger } from '../wire-rig.js';

const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736';
const CALLER_SPAN = '00f067aa0ba902b7';
const SECRET = 'a secret of the caller';

const ids = (request: Msg | undefined) =>
  /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/.exec(request?.headers?.get('traceparent') ?? '')?.slice(1) ?? [];

async function tracerOf(
  t: ExecutionContext,
  env: Readonly<Record<string, string>>,
  log: Logger = silentLogger,
  load?: Parameters<typeof openTracer>[3],
): Promise<Tracer> {
  for (const [name, value] of Object.entries(env)) process.env[name] = value;
  t.teardown(() => {
    for (const name of Object.keys(env)) delete process.env[name];
  });
  const tracer = await openTracer(process.env, '1.2.3', log, load);
  if (tracer === null) throw new Error('no tracer');
  return tracer;
}

function busy() {
  const of = headers();
  of.set('Nats-Service-Error-Code', '503');
  of.set('Nats-Service-Error', 'busy');
  return of;
}

/** `answers`: what the extension answers, one call after another; null: a service error. Then it does not answer by itself. */
async function worldOf(
  t: ExecutionContext,
  answers: readonly (string | null)[],
  env: Readonly<Record<string, string>> = {},
  log?: Logger,
  load?: Parameters<typeof openTracer>[3],
) {
  const collector = await TraceCollector.start(t);
  const tracer = await tracerOf(t, { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, ...env }, log, load);
  const server = await TestServer.start();
  t.teardown(() => server.stop());
  const [caller, callee] = [await server.connect(), await server.connect()];
  const rig = await CoreRig.start(
    t,
    server,
    caller,
    (subjectOf) => [registryEntry(extensionRow('ocr', { subject: subjectOf('ocr'), retry: 1 }))],
    { tracer },
  );
  const left = [...answers];
  const extension = await startExtension(callee, rig.subjectOf('ocr'), () => {
    const body = left.shift();
    if (body === undefined) return null;
    return body === null ? { headers: busy() } : { body };
  });
  /** Everything is exported; no more spans afterwards. */
  const exported = async () => {
    await until('the calls are over', () => rig.core.router.inFlight === 0);
    await tracer.stop();
    return collector.spans;
  };
  return { collector, rig, extension, exported, tracer };
}

test.serial(
  'TRACED-CALLS-1: a call has a server span, each attempt a client span below it, and the extension its id',
  async (t) => {
    const { rig, extension, exported, collector } = await worldOf(t, [null, 'done'], {
      OTEL_SERVICE_NAME: 'our-registry',
    });
    const called = rig.call('ocr', SECRET, [
      `traceparent: 00-${TRACE_ID}-${CALLER_SPAN}-01`,
      'tracestate: vendor=abc',
      'Extreg-Tenant-Id: acme-tenant',
    ]);
    t.is((await rig.told(called)).body, 'done');
    const spans = await exported();
    const [call] = spans.filter(({ kind }) => kind === KIND.server);
    const attempts = spans.filter(({ kind }) => kind === KIND.client);
    t.is(spans.length, 3);
    t.like(call, { traceId: TRACE_ID, parentSpanId: CALLER_SPAN, traceState: 'vendor=abc', name: 'invoke ocr' });
    t.like(call?.attributes, { 'extreg.result': 'ok', 'extreg.attempts': 2, 'extreg.version': 'v1', 'extreg.hops': 1 });
    t.like(call?.resource, { 'service.name': 'our-registry', 'service.version': '1.2.3' });
    t.is(call?.status.code, 0);
    t.deepEqual(
      attempts.map((span) => span.parentSpanId),
      [call?.spanId, call?.spanId],
    );
    const [failed, done] = attempts;
    t.like(failed?.attributes, {
      'extreg.attempt': 1,
      'extreg.breaker.state': 'closed',
      'extreg.breaker.probe': false,
      'extreg.routing.by': 'default',
      'extreg.end': 'reply',
      'extreg.service_error_code': 503,
    });
    t.like(failed?.status, { code: STATUS_ERROR, message: 'service error 503' });
    t.like(done?.attributes, { 'extreg.attempt': 2, 'extreg.routing.by': 'retry', 'extreg.end': 'reply' });
    t.deepEqual(
      extension.received.map((request) => ids(request)),
      attempts.map(({ spanId }) => [TRACE_ID, spanId, '01']),
    );
    t.is(extension.received[0]?.headers?.get('tracestate'), 'vendor=abc');
    t.false(collector.text.includes(SECRET) || collector.text.includes('acme-tenant'), 'TRACED-CALLS-3');
  },
);

test.serial(
  'TRACED-CALLS-1: without a caller\u2019s trace a call begins one; a refused call has a span alone, with its reason',
  async (t) => {
    const { rig, extension, exported } = await worldOf(t, ['done']);
    t.is((await rig.told(rig.call('ocr'))).error, '');
    t.is((await rig.told(rig.call('nobody'))).error, 'extension_not_found');
    const spans = await exported();
    const [call, refused] = spans.filter(({ kind }) => kind === KIND.server);
    const [attempt] = spans.filter(({ kind }) => kind === KIND.client);
    t.is(spans.length, 3);
    t.is(call?.parentSpanId ?? '', '');
    t.deepEqual(ids(extension.received[0]), [call?.traceId, attempt?.spanId, '01']);
    t.like(refused, { name: 'invoke nobody', status: { code: STATUS_ERROR, message: 'extension_not_found' } });
    t.is(refused?.attributes['extreg.result'], 'extension_not_found');
  },
);

test.serial('TRACED-CALLS-1: an invalid trace context does not pass beside the one that begins here', async (t) => {
  const { rig, extension, exported } = await worldOf(t, ['done']);
  const called = rig.call('ocr', '', ['X-First: 1', 'traceparent: 00-nonsense', 'tracestate: vendor=abc', 'X-Last: 2']);
  t.is((await rig.told(called)).body, 'done');
  const [attempt] = (await exported()).filter(({ kind }) => kind === KIND.client);
  const got = extension.received[0]?.headers;
  t.deepEqual(got?.values('traceparent'), [`00-${attempt?.traceId}-${attempt?.spanId}-01`]);
  t.deepEqual([got?.has('tracestate'), got?.get('X-First'), got?.get('X-Last')], [false, '1', '2']);
});

test.serial('TRACER-3: what the caller does not sample has no spans, and passes as not sampled', async (t) => {
  const { rig, extension, exported } = await worldOf(t, ['done']);
  const called = rig.call('ocr', 'x', [`traceparent: 00-${TRACE_ID}-${CALLER_SPAN}-00`]);
  t.is((await rig.told(called)).body, 'done');
  t.deepEqual(await exported(), []);
  const [traceId, spanId, flags] = ids(extension.received[0]);
  t.deepEqual([traceId, flags], [TRACE_ID, '00']);
  t.not(spanId, CALLER_SPAN);
});

test.serial('TRACER-3: where this daemon does not sample what the caller did, the extension sees that', async (t) => {
  const { rig, extension, exported } = await worldOf(t, ['done', 'done'], { OTEL_TRACES_SAMPLER: 'always_off' });
  const called = rig.call('ocr', 'x', [`traceparent: 00-${TRACE_ID}-${CALLER_SPAN}-01`]);
  t.is((await rig.told(called)).body, 'done');
  t.is((await rig.told(rig.call('ocr'))).body, 'done');
  t.deepEqual(await exported(), []);
  const [traced, plain] = extension.received;
  t.deepEqual([ids(traced)[0], ids(traced)[2]], [TRACE_ID, '00']);
  t.is(plain?.headers?.get('traceparent') ?? '', '', 'nothing to pass on');
});

test.serial('TRACED-CALLS-2: an attempt that outlives its call has a span that does, too', async (t) => {
  const { rig, extension, exported } = await worldOf(t, []);
  const called = rig.call('ocr', 'x', ['Extreg-Timeout-Ms: 50']);
  t.is((await rig.told(called)).error, 'deadline_exceeded');
  extension.received[0]?.respond('too late for the caller');
  const spans = await exported();
  const [call] = spans.filter(({ kind }) => kind === KIND.server);
  const [attempt] = spans.filter(({ kind }) => kind === KIND.client);
  t.like(call?.attributes, { 'extreg.result': 'deadline_exceeded' });
  t.like(attempt?.attributes, { 'extreg.end': 'reply' });
  t.is(attempt?.parentSpanId, call?.spanId);
  t.true(BigInt(attempt?.endTimeUnixNano ?? 0) > BigInt(call?.endTimeUnixNano ?? 0));
});

test.serial(
  'TRACER-1, TRACER-2: a collector that answers with errors costs calls nothing, and is logged',
  async (t) => {
    const { log, lines } = recordingLogger();
    const env = { OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20geheim', OTEL_BSP_SCHEDULE_DELAY: '10' };
    const { rig, collector, exported } = await worldOf(t, ['done'], env, log);
    collector.status = 400;
    t.is((await rig.told(rig.call('ocr'))).body, 'done');
    await until('a line', () => lines.some(({ event }) => event === 'tracing_trouble'));
    t.deepEqual(await exported(), []);
    const [trouble] = lines.filter(({ event }) => event === 'tracing_trouble');
    t.is(trouble?.message, 'OTLPExporterError: 400: Bad Request', 'and not the answer, which quotes the login');
  },
);

test.serial('tracing_on names the sampler in force, not one that the library does not know', async (t) => {
  for (const [asked, used] of [
    ['sometimes', 'parentbased_always_on'],
    ['traceidratio', 'traceidratio'],
  ] as const) {
    const { log, lines } = recordingLogger();
    await tracerOf(t, { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9', OTEL_TRACES_SAMPLER: asked }, log);
    t.is(lines.find(({ event }) => event === 'tracing_on')?.sampler, used);
  }
});

type Start = ReturnType<BasicTracerProvider['getTracer']>['startSpan'];

/** The library, whose tracer is asked through `start`. */
const libraryWith = (start: (real: Start) => Start) => async () => {
  const [api, sdk, resources, exporter] = await Promise.all([
    import('@opentelemetry/api'),
    import('@opentelemetry/sdk-trace-base'),
    import('@opentelemetry/resources'),
    import('@opentelemetry/exporter-trace-otlp-http'),
  ]);
  class Provider extends sdk.BasicTracerProvider {
    override getTracer(...of: Parameters<BasicTracerProvider['getTracer']>) {
      const tracer = super.getTracer(...of);
      tracer.startSpan = start(tracer.startSpan.bind(tracer));
      return tracer;
    }
  }
  return { api, sdk: { ...sdk, BasicTracerProvider: Provider }, resources, exporter };
};

const fails = (): never => {
  throw new Error('of the library');
};
for (const [title, start] of [
  ['for a span', () => fails],
  [
    'for what is set',
    (real) =>
      (...of) =>
        Object.assign(real(...of), { setAttributes: fails, end: fails }),
  ],
  [
    'for an attempt',
    (real) =>
      (name, ...of) =>
        name.startsWith('attempt') ? fails() : real(name, ...of),
  ],
] as const satisfies readonly (readonly [string, (real: Start) => Start])[])
  test.serial(`TRACER-1: a library that throws costs no call its answer: asked ${title}`, async (t) => {
    const { log, lines } = recordingLogger();
    const { rig, tracer } = await worldOf(t, ['done'], {}, log, libraryWith(start));
    t.is((await rig.told(rig.call('ocr'))).body, 'done');
    t.true(lines.some(({ event }) => event === 'tracing_failed'));
    await tracer.stop();
  });

test('an attempt that gets its time once more has an event, which docs/traces.md names, and its listener hears of it', (t) => {
  const heard: string[] = [];
  const span: Span = {
    isRecorded: true,
    traceparent: `00-${TRACE_ID}-${CALLER_SPAN}-01`,
    child: () => span,
    set: () => undefined,
    event: (name) => void heard.push(name),
    end: (error) => void heard.push(`end ${error}`),
  };
  const calls = traceCalls({ begin: () => span, stop: async () => undefined }, (...[, , , , , listener]) => {
    listener.attemptDelayed?.();
    listener.attemptEnded('timeout', null);
  });
  const route = { extensionId: 'ocr', version: 'v1', subject: 'ext.ocr' } as Route;
  const headers = { traceBefore: '', traceParentId: '', traceAfter: '', forwarded: '' };
  const listener = {
    attemptDelayed: () => void heard.push('delayed'),
    attemptEnded: (end: string) => void heard.push(end),
  };
  const handle = calls.around((call) => calls.send(route, call, 1, 1000, 5000, listener));
  handle({ extensionId: 'ocr', hops: 0, headers } as Invocation);
  t.deepEqual(heard, ['extreg.timeout_extended', 'delayed', 'end timeout', 'timeout']);
  t.true(readDocument('traces.md').includes('`extreg.timeout_extended`'));
});

test('TRACED-CALLS-4: router and requester may throw, before their end or after it: each span ends once', (t) => {
  const heard: string[] = [];
  const spanOf = (name: string): Span => ({
    isRecorded: true,
    traceparent: `00-${TRACE_ID}-${CALLER_SPAN}-01`,
    child: () => spanOf('attempt'),
    set: () => undefined,
    event: () => undefined,
    end: (error) => void heard.push(`${name} ${error}`),
  });
  const tracer: Tracer = { begin: () => spanOf('call'), stop: async () => undefined };
  const route = { extensionId: 'ocr', version: 'v1', subject: 'ext.ocr' } as Route;
  const headers = { traceBefore: '', traceParentId: '', traceAfter: '', forwarded: '' };
  const invocation = { extensionId: 'ocr', hops: 0, headers, refuse: () => undefined } as unknown as Invocation;
  const listener = { attemptEnded: () => undefined };
  const broken = { message: 'a bug' };
  const run = (isEndedBefore: boolean) => {
    const calls = traceCalls(tracer, (...[, , , , , of]) => {
      if (isEndedBefore) of.attemptEnded('timeout', null);
      throw new Error(broken.message);
    });
    const handle = calls.around((call) => {
      if (isEndedBefore) call.refuse({ code: 'extension_timeout', message: 'late' });
      calls.send(route, call, 1, 1000, 5000, listener);
    });
    t.throws(() => handle(invocation), broken);
    return heard.splice(0);
  };
  t.deepEqual(run(false), ['attempt internal_error', 'call internal_error']);
  t.deepEqual(run(true), ['call extension_timeout', 'attempt timeout']);
});
