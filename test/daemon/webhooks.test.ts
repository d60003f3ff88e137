import test from 'ava';
import { headers } from '#@nats-io/nats-core';
import type { RegistryEvent } from '../../src/domain/registry/events.js';
import { keyOf, signatureOf } from '../../src/webhooks/webhook-request.js';
import { isOnPage } from '../docs/events-page.js';
import { readDocument } from '../docs/tables.js';
import { DaemonProcess, invoke } from '../helpers/daemon-process.js';
import { startExtension } from '../helpers/nats-server.js';
import { KIND, TraceCollector } from '../helpers/trace-collector.js';
import { until } from '../helpers/until.js';
import { hang, startReceiver, status } from '../helpers/webhook-receiver.js';

const SECRET = 'geheim-1';

const broken = () => {
  const h = headers();
  h.set('Nats-Service-Error-Code', '500');
  h.set('Nats-Service-Error', 'geheim-reply-header');
  return { headers: h, body: '{"answer":"geheim-reply"}' };
};

/** Of an access token that is made here; the admin API asks for one from then on. */
async function makeToken(daemon: DaemonProcess): Promise<string> {
  const answer = await fetch(`${daemon.url}/admin/tokens`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'ada', role: 'admin' }),
  });
  return ((await answer.json()) as { token: string }).token;
}

/** Rows with secrets, of which one is refused: its problems are logged. */
async function insertRows(daemon: DaemonProcess): Promise<void> {
  await daemon.sql()`insert into extensions (id, type, subject, config, policy) values
    ('flaky', 'pre', 'ext.flaky', '{"password":"geheim-config"}', '{"health_check":{"payload":"geheim-policy"}}'),
    ('wrong', 'pre', 'ext.wrong', '{"password":"geheim-config"}',
      '{"api_key":"geheim-policy","balancer":"geheim-policy","breaker":{"open_seconds":"geheim-policy"},"health_check":"geheim-policy"}'),
    ('wrong2', 'pre', 'ext.wrong2', '"geheim-config"', '"geheim-policy"')`;
  const refused = () => daemon.log.filter(({ event }) => event === 'registry_row_rejected').length;
  await until('both rows are refused', () => refused() === 2);
}

test.serial(
  'an extension fails: its administrators get signed notices, its calls are traced, and no secret and no payload is logged',
  async (t) => {
    const receiver = await startReceiver(t, status(200));
    const collector = await TraceCollector.start(t);
    const daemon = await DaemonProcess.startReady(t, {
      EXTENSION_REGISTRY_WEBHOOK_URLS: `${receiver.url}/geheim-2?token=geheim-3`,
      EXTENSION_REGISTRY_WEBHOOK_SECRET: SECRET,
      EXTENSION_REGISTRY_LOG_LEVEL: 'trace',
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20geheim-otel',
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
    });
    const nc = await daemon.connect();
    await startExtension(nc, 'ext.flaky', broken);
    await insertRows(daemon);
    await until('the extension is known', async () => (await daemon.state('flaky')) === 'closed');
    const caller = { 'Extreg-Ctx-region': 'geheim-header', authorization: 'Bearer geheim-header' };
    for (let i = 0; i < 5; i++)
      t.is((await invoke(nc, 'flaky', '{"card":"geheim-body"}', caller)).error, 'extension_error');
    t.is((await invoke(nc, 'flaky', 'geheim-body', { 'Extreg-Hops': 'geheim-header' })).error, 'invalid_request');
    await until('all notices are there', () => receiver.received.length === 4);
    const posted = receiver.received.map(({ body }) => JSON.parse(body.toString()) as RegistryEvent);
    const notices = posted.filter(({ extension_id }) => extension_id === 'flaky');
    t.like(notices[0], {
      event: 'circuit_opened',
      extension_id: 'flaky',
      version: 'v1',
      actor: 'system:breaker',
      reason: 'failure_count',
      evidence: { failures: 5, outcomes: 5, error_rate: 1, window_seconds: 60 },
    });
    t.like(notices[1], { event: 'auto_disabled', extension_id: 'flaky', actor: 'system:auto-manager' });
    const [, example = '{}'] = /^webhook-signature: .*\n\n(.*)$/m.exec(readDocument('webhooks.md')) ?? [];
    const shape = ({ evidence, ...event }: RegistryEvent) =>
      [event, evidence ?? {}].map((one) => Object.keys(one).sort());
    t.deepEqual(shape(JSON.parse(example)), shape(notices[0] as RegistryEvent), 'the example of docs/webhooks.md');
    for (const [i, { headers, body, path }] of receiver.received.entries()) {
      const timestamp = headers['webhook-timestamp'] as string;
      t.is(path, '/hook/geheim-2?token=geheim-3');
      t.is(headers['extreg-event'], posted[i]?.event);
      t.true(Math.abs(Date.now() / 1000 - Number(timestamp)) < 300);
      t.is(headers['webhook-signature'], signatureOf(keyOf(SECRET), headers['webhook-id'] as string, timestamp, body));
    }
    await until('all are counted', async () =>
      /^extension_registry_webhooks_delivered_total 4$/m.test(await (await daemon.fetch('/metrics')).text()),
    );
    const token = await makeToken(daemon);
    await until('it asks for a token', async () => (await daemon.fetch('/admin/status')).status === 401);
    const authorization = `Bearer ${token}`;
    t.is((await fetch(`${daemon.url}/admin/status`, { headers: { authorization } })).status, 200);
    const { token: natsToken } = daemon.address;
    t.is(await daemon.stop(), 0);
    // Sent when it stops, at the latest.
    const traced = collector.spans.find(({ attributes }) => attributes['extreg.result'] === 'extension_error');
    const attempt = collector.spans.find(({ parentSpanId }) => parentSpanId === traced?.spanId);
    t.like(traced, { name: 'invoke flaky', kind: KIND.server });
    t.like(traced?.resource, { 'service.name': 'extension-registry', 'deployment.environment.name': 'test' });
    t.like(attempt, { name: 'attempt flaky', kind: KIND.client, traceId: traced?.traceId });
    t.false(collector.text.includes('geheim'));
    t.true(daemon.has('webhook_delivered') && daemon.has('invocation') && daemon.has('http_request'));
    const secrets = ['geheim', token, natsToken];
    t.true(secrets.every((secret) => secret.length > 5));
    t.deepEqual(
      daemon.log.filter((line) => secrets.some((secret) => JSON.stringify(line).includes(secret))),
      [],
    );
    t.deepEqual(
      daemon.log.filter((line) => !isOnPage(line)).map((line) => JSON.stringify(line)),
      [],
      'docs/events.md',
    );
  },
);

test.serial('a receiver that hangs holds up neither calls nor, for long, the stop', async (t) => {
  const receiver = await startReceiver(t, hang);
  const daemon = await DaemonProcess.startReady(t, {
    EXTENSION_REGISTRY_WEBHOOK_URLS: receiver.url,
    EXTENSION_REGISTRY_SHUTDOWN_TIMEOUT_SECONDS: '1',
  });
  const nc = await daemon.connect();
  await startExtension(nc, 'ext.flaky', broken);
  await startExtension(nc, 'ext.echo', (request) => ({ body: request.data }));
  await daemon.sql()`insert into extensions (id, type, subject) values ('flaky', 'pre', 'ext.flaky'), ('echo', 'pre', 'ext.echo')`;
  await until('the extensions are known', async () => (await daemon.state('echo')) === 'closed');
  for (let i = 0; i < 5; i++) await invoke(nc, 'flaky');
  await until('the notice hangs', () => receiver.received.length === 1);
  await until('it is disabled', async () => (await daemon.health('flaky')).auto_disabled);
  t.is((await invoke(nc, 'echo', 'well')).body, 'well');
  t.is(await daemon.stop(), 0);
  t.like(
    daemon.log.find((line) => line.event === 'webhook_dropped'),
    { receiver: receiver.host, reason: 'stopped', deliveries: 2 },
  );
  t.like(
    daemon.log.find((line) => line.step === 'webhooks_sent'),
    { result: 'late' },
  );
});
