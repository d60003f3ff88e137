// A daemon whose environment asks for traces.
import test from 'ava';
import { DaemonProcess, invoke } from '../helpers/daemon-process.js';
import { startExtension, TestServer } from '../helpers/nats-server.js';
import { KIND, TraceCollector } from '../helpers/trace-collector.js';
import { until } from '../helpers/until.js';

test('a daemon with OTEL_EXPORTER_OTLP_ENDPOINT sends the spans of a call, at the latest when it stops', async (t) => {
  const collector = await TraceCollector.start(t);
  const server = await TestServer.start();
  t.teardown(() => server.stop());
  const daemon = await DaemonProcess.startReady(t, {
    NATS_URL: server.url,
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
  });
  const [caller, callee] = [await server.connect(), await server.connect()];
  await startExtension(callee, 'ext.echo', ({ data }) => ({ body: data }));
  await daemon.sql()`insert into extensions (id, type, subject) values ('echo', 'pre', 'ext.echo')`;
  await until('the extension is called', async () => (await invoke(caller, 'echo')).error === '');
  t.is(await daemon.stop(), 0);
  const called = collector.spans.find(
    ({ name, attributes }) => name === 'invoke echo' && attributes['extreg.result'] === 'ok',
  );
  const attempt = collector.spans.find(({ parentSpanId }) => parentSpanId === called?.spanId);
  t.like(called?.resource, { 'service.name': 'extension-registry', 'deployment.environment.name': 'test' });
  t.like(attempt, { name: 'attempt echo', kind: KIND.client, traceId: called?.traceId });
  t.is(daemon.log.filter(({ event }) => event === 'tracing_on').length, 1);
});
