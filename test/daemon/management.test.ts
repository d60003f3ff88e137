// The management routes against the whole daemon: calls, status, settings and reload.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { DaemonProcess } from '../helpers/daemon-process.js';
import { startExtension } from '../helpers/nats-server.js';
import { until } from '../helpers/until.js';

test('management: an operator calls, looks, reloads', async (t) => {
  t.timeout(300_000);
  const daemon = await DaemonProcess.startReady(t);
  const nc = await daemon.connect();
  const seen: string[] = [];
  await startExtension(nc, 'ext.echo', (request) => {
    seen.push(request.headers?.get('Extreg-Ctx-region') ?? '');
    return { body: request.data };
  });
  await daemon.sql()`insert into extensions (id, type, subject, timeout_ms) values
    ('echo', 'pre', 'ext.echo', 5000), ('nobody', 'pre', 'ext.nobody', 5000)`;
  const post = async (path: string, body: object) => {
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(`${daemon.url}/admin${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  const get = async (path: string) => (await (await daemon.fetch(`/admin${path}`)).json()) as Record<string, never>;

  const call = { payload: { n: 1 }, context: { region: 'eu' } };
  await until('it is called', async () => (await post('/extensions/echo/invoke', call)).body.ok === true);
  const { body: answer } = await post('/extensions/echo/invoke', call);
  t.like(answer, { ok: true, version: 'v1', attempts: 1, body: '{"n":1}', body_encoding: 'utf-8', truncated: false });
  t.true(seen.includes('eu'));
  const { body: failed } = await post('/extensions/nobody/invoke', { payload: 1 });
  t.like(failed, { ok: false, error: { code: 'extension_unavailable', details: { reason: 'no_responders' } } });
  t.like((await post('/extensions/none/invoke', { payload: 1 })).body, { error: { code: 'extension_not_found' } });
  t.like((await post('/extensions/echo/invoke', { payload: 1, context: { tenant_id: 'a.b' } })).body, {
    error: { code: 'invalid_request' },
  });
  const metrics = await (await daemon.fetch('/metrics')).text();
  t.regex(metrics, /extension_invocation_duration_seconds_count\{extension_id="echo"[^}]*\} [2-9]/);

  const status = await get('/status');
  t.like(status, { readiness: { ready: true }, in_flight: 0, mass_failure: false });
  t.true(Number(status.registry_lag_ms) < 20_000, `${status.registry_lag_ms}`);
  t.like(status, { streams: 0, viewers: 0 });
  t.false(Number.isNaN(Date.parse(String(status.history_begins))));

  writeFileSync(
    join(daemon.dataDir, 'extreg.config.yaml'),
    'extension_registry: {audit_retention_days: 7, webhook_urls: ["https://user:pw@hooks.example/secret"]}\n',
  );
  const reloaded = await post('/reload', { reason: 'a look', by: 'ada' });
  t.like(reloaded.body, { started: 0, removed: 0, held: 0, configuration_problems: [] });
  t.deepEqual(reloaded.body.needs_restart, ['webhook_urls', 'audit_retention_days']);
  writeFileSync(join(daemon.dataDir, 'extreg.config.yaml'), 'extension_registry: {audit_retention_days: x}\n');
  const { configuration_problems } = (await post('/reload', {})).body as { configuration_problems: string[] };
  t.regex(configuration_problems[0] ?? '', /audit_retention_days/);
  const { settings } = (await get('/settings')) as unknown as { settings: { key: string; origin: string }[] };
  t.is(settings.find(({ key }) => key === 'http_port')?.origin, 'environment EXTENSION_REGISTRY_HTTP_PORT');
  await until('it is in the trail', async () => {
    const { items } = (await get('/audit?action=registry_reload&by=ada')) as unknown as { items: object[] };
    return items.length === 1;
  });
});
