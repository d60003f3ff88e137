// When traces are on, and what is said where they cannot be.
import { readFileSync } from 'node:fs';
import test from 'ava';
import { openTracer } from '../../../src/telemetry/traces/tracer.js';
import { readDocument } from '../../docs/tables.js';
import { recordingLogger } from '../../nats/wire-rig.js';

const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318' };

for (const [title, env] of [
  ['nothing', {}],
  ['no exporter', { ...ENDPOINT, OTEL_TRACES_EXPORTER: 'none' }],
  ['the SDK disabled', { ...ENDPOINT, OTEL_SDK_DISABLED: 'true' }],
  ['an empty endpoint', { OTEL_EXPORTER_OTLP_ENDPOINT: ' ' }],
  ['other settings only', { OTEL_SERVICE_NAME: 'x' }],
] as const)
  test(`no tracer, and no line: ${title}`, async (t) => {
    const { log, lines } = recordingLogger();
    t.is(await openTracer(env, '1', log), null);
    t.deepEqual(lines, []);
  });

for (const [name, value, more] of [
  ['OTEL_TRACES_EXPORTER', 'zipkin', "expected otlp or none, got 'zipkin'"],
  ['OTEL_EXPORTER_OTLP_PROTOCOL', 'grpc', "expected http/json, got 'grpc'"],
  ['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL', 'http/protobuf', "expected http/json, got 'http/protobuf'"],
  ['OTEL_EXPORTER_OTLP_ENDPOINT', 'collector:4318', 'expected an http or https URL'],
] as const)
  test(`a setting that cannot be followed turns traces off and says why: ${name}=${value}`, async (t) => {
    const { log, lines } = recordingLogger();
    t.is(await openTracer({ ...ENDPOINT, [name]: value }, '1', log), null);
    t.deepEqual(
      lines.map(({ event, reason }) => ({ event, reason })),
      [{ event: 'tracing_off', reason: `${name}: ${more}` }],
    );
  });

test('a library that is not installed turns traces off, and the line says how to install it', async (t) => {
  const { log, lines } = recordingLogger();
  const missing = Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' });
  t.is(await openTracer(ENDPOINT, '1', log, () => Promise.reject(missing)), null);
  const [install = '', ...packages] = /npm install (.*)$/.exec(String(lines[0]?.reason)) ?? [];
  t.true(readDocument('traces.md').includes(`\n${install}\n`), install);
  const { peerDependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as {
    peerDependencies: Record<string, string>;
  };
  const asked = packages.flatMap((text) => text.split(' ')).map((text) => text.split(/@(?=\d)/));
  t.deepEqual(asked.map(([name]) => name).sort(), Object.keys(peerDependencies).sort());
  for (const [name = '', line] of asked) t.true(peerDependencies[name]?.includes(`${line}.`), `${name} ${line}`);
});
