// `/admin/status`, `/admin/fleet`, `/admin/settings` and `/admin/reload`: what goes in and comes out.
import test from 'ava';
import type { Reload, ReloadOrder } from '../../../src/actors/ports/management.js';
import type { LogLevelsShown } from '../../../src/domain/status-schema.js';
import { daemonStatus, fleetAnswer, listen, noManagement } from '../helpers.js';

const get = async (url: string) => {
  const response = await fetch(url);
  return { status: response.status, body: await response.json() };
};

test('fleet: the replicas as this one hears them', async (t) => {
  const { url } = await listen(t);
  t.deepEqual(await get(`${url}/admin/fleet`), { status: 200, body: fleetAnswer });
  t.is((await get(`${url}/admin/fleet?x=1`)).status, 400);
});

test('status: every number as it is, and none that is not there', async (t) => {
  const { url } = await listen(t);
  t.deepEqual(await get(`${url}/admin/status`), { status: 200, body: { ...daemonStatus } });
  const more = { streams: 3, history_begins: '2025-01-27T12:00:00.000Z' };
  const other = await listen(t, { management: { ...noManagement, status: () => ({ ...daemonStatus, ...more }) } });
  t.deepEqual((await get(`${other.url}/admin/status`)).body, { ...daemonStatus, ...more });
  t.is((await get(`${url}/admin/status?x=1`)).status, 400);
});

test('settings: values of every type, with where they come from', async (t) => {
  const settings = [
    { key: 'http_port', value: 8420, origin: 'default' },
    { key: 'webhook_urls', value: ['https://a/***'], origin: 'file extreg.config.yaml' },
    { key: 'database_url', value: null, origin: 'default' },
    { key: 'metrics_open', value: true, origin: 'flag --metrics-open' },
    { key: 'nats_token', value: '***', origin: 'environment NATS_TOKEN' },
  ];
  const { url } = await listen(t, { management: { ...noManagement, settings: () => settings } });
  t.deepEqual((await get(`${url}/admin/settings`)).body, { settings });
});

const REPORT = {
  ...{ registry_revision: 7, started: 1, updated: 2, removed: 3, held: 4 },
  needs_restart: ['http_port'],
  configuration_problems: [],
};

test('reload: without anything, or with force and a reason', async (t) => {
  const orders: ReloadOrder[] = [];
  const reload: Reload = async (order) => {
    orders.push(order);
    return { kind: 'reloaded', ...REPORT };
  };
  const { url } = await listen(t, { management: { ...noManagement, reload } });
  const post = async (body: object) => {
    const response = await fetch(`${url}/admin/reload`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return { status: response.status, body: (await response.json()) as { detail?: string } };
  };
  t.deepEqual(await post({}), { status: 200, body: REPORT });
  t.is((await post({ force: true, reason: 'they are gone for good', by: 'ada' })).status, 200);
  for (const [body, detail] of [
    [{ force: true }, /reason is missing/],
    [{ force: 'true', reason: 'x' }, /body\/force/],
    [{ reason: ' ' }, /body\/reason/],
    [{ reason: 'a\0' }, /U\+0000/],
    [{ x: 1 }, /no field 'x'/],
  ] as const) {
    const refused = await post(body);
    t.is(refused.status, 400);
    t.regex(refused.body.detail ?? '', detail);
  }
  t.deepEqual(orders, [
    { force: false, reason: null, actor: 'admin' },
    { force: true, reason: 'they are gone for good', actor: 'admin:ada' },
  ]);
  const away = await listen(t);
  const response = await fetch(`${away.url}/admin/reload`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  });
  t.is(response.status, 503);
});

test('log levels: read, set for a component or all, for a time; what makes no sense is refused and changes nothing', async (t) => {
  const { url } = await listen(t);
  const put = async (body: object) => {
    const response = await fetch(`${url}/admin/log-levels`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return { status: response.status, body: (await response.json()) as LogLevelsShown & { detail?: string } };
  };
  const before = (await get(`${url}/admin/log-levels`)).body as LogLevelsShown;
  t.is(before.level, 'info');
  t.deepEqual(
    before.components.find(({ component }) => component === 'db'),
    {
      component: 'db',
      level: 'info',
      from: 'all',
    },
  );
  for (const [body, detail] of [
    [{}, /level/],
    [{ level: 'loud' }, /^body\/level must be one of trace, debug, info, warn, error, fatal, null, got "loud"$/],
    [{ level: 'debug', component: 'nothing' }, /^body\/component must be one of access, .*, got "nothing"$/],
    [{ level: 'debug', for_seconds: 0 }, /body\/for_seconds/],
    [{ level: null, for_seconds: 5 }, /body\/for_seconds/],
  ] as const) {
    const refused = await put(body);
    t.is(refused.status, 400);
    t.regex(refused.body.detail ?? '', detail);
  }
  t.deepEqual((await get(`${url}/admin/log-levels`)).body, before);
  const set = await put({ level: 'debug', component: 'db', for_seconds: 60 });
  t.is(set.status, 200);
  t.deepEqual(
    set.body.components.find(({ component }) => component === 'db'),
    {
      component: 'db',
      level: 'debug',
      from: 'component',
    },
  );
  t.is(set.body.changed.length, 1);
  t.is((await put({ level: 'warn' })).body.level, 'warn');
  t.deepEqual((await put({ level: null, component: 'db' })).body.changed, [{ component: null, until: null }]);
  await put({ level: null });
  t.deepEqual((await get(`${url}/admin/log-levels`)).body, before);
});
