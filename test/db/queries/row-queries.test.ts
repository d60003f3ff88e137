// Rows over HTTP on a real database: ROWS-1 to ROWS-4 of rows.ts, ROW-QUERIES-1 of row-queries.ts, ROW-REQUEST-1 and ROW-REQUEST-2 of
// row-routes.ts.
import { randomUUID } from 'node:crypto';
import anyTest, { type ExecutionContext, type TestFn } from 'ava';
import { InForce } from '../../../src/actors/management/in-force.js';
import { Rows } from '../../../src/actors/management/rows.js';
import type { RowDesk } from '../../../src/actors/ports/api.js';
import type { ManagementDesk } from '../../../src/actors/ports/management.js';
import { applyAutoChange } from '../../../src/db/queries/auto-queries.js';
import { readFallbackRows } from '../../../src/db/queries/registry-file-queries.js';
import { readRowChange, readRows, writeRow } from '../../../src/db/queries/row-queries.js';
import { OPEN_PRINCIPAL } from '../../../src/domain/access/principal.js';
import type { Extension } from '../../../src/domain/registry/extension.js';
import { breakerSettingsInForce } from '../../../src/domain/registry/policy.js';
import { policyInForce } from '../../../src/domain/registry/policy-in-force.js';
import type { Refusal } from '../../../src/domain/registry/refused-row.js';
import { silentLogger } from '../../../src/telemetry/log.js';
import { openAccess } from '../../helpers/access.js';
import { breakerSettings } from '../../helpers/breaker-settings.js';
import { onBothEngines, type TestDatabase } from '../../helpers/postgres.js';
import { listen, noManagement } from '../../http/helpers.js';
import { systemClock } from '../../nats/wire-rig.js';

const test = anyTest as TestFn;
const onMigrated = onBothEngines(test);

interface Answer {
  readonly status: number;
  readonly etag: string | null;
  readonly location: string | null;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the answer is
  readonly body: any;
}

/** A server over the rows of `database`; `refused` is what this daemon refuses of them. */
async function world(t: ExecutionContext, database: TestDatabase) {
  const db = database.open();
  const runtimes = new Map<string, { extension: Extension }>();
  const refused: Refusal[] = [];
  const registry = { revision: Number.MAX_SAFE_INTEGER, runtimes, refusedRows: () => refused };
  const between: (() => Promise<unknown>)[] = [];
  const rows = new Rows({
    read: (id) => readRows(db, id),
    readFallbacks: () => readFallbackRows(db),
    readChange: (row, revision) => readRowChange(db, row, revision),
    write: async (change, who) => {
      await between.shift()?.();
      return writeRow(db, change, who);
    },
    inForce: new InForce(registry, systemClock),
    registry,
    rules: { ownPrefix: 'extreg.v1', allowedPrefixes: [] },
    clock: systemClock,
    log: silentLogger,
  });
  const policyInForceOf: ManagementDesk['policyInForce'] = (id) => {
    const extension = runtimes.get(id)?.extension;
    if (extension === undefined) return null;
    const columns = {
      failure_threshold: 9,
      error_rate_threshold: null,
      window_seconds: 7,
      half_open_max_requests: null,
    };
    return policyInForce(extension.policy, breakerSettingsInForce(extension.policy, columns, breakerSettings()));
  };
  const { url } = await listen(t, { rows, management: { ...noManagement, policyInForce: policyInForceOf } });
  const ask = async (
    method: string,
    path: string,
    body?: string | null,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer> => {
    const response = await fetch(`${url}/admin/extensions${path}`, {
      method,
      headers: { ...(body == null ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body == null ? {} : { body }),
    });
    const text = await response.text();
    const parsed = text === '' ? null : JSON.parse(text);
    const { status } = response;
    return {
      status,
      etag: response.headers.get('etag'),
      location: response.headers.get('location'),
      text,
      body: parsed,
    };
  };
  return { db, ask, registry, refused, runtimes, between };
}

const WHY = '?reason=why&by=ada';
const any = { 'if-match': '*' };
const isNew = { 'if-none-match': '*' };
const at = (revision: number) => ({ 'if-match': `"${revision}"` });
const A = '{"id": "a", "type": "pre", "subject": "x.a"}';

onMigrated(
  'rows: a row is made, read, changed, replaced and deleted, each with its revision and in the trail',
  async (t, database) => {
    const { db, ask } = await world(t, database);
    const made = await ask(
      'POST',
      WHY,
      '{"id": "a", "type": "pre", "subject": "x.a", "config": {"n": 12345678901234567890, "d": 0.10}}',
    );
    t.is(made.status, 201, made.text);
    t.is(made.location, '/admin/extensions/a');
    t.is(made.etag, '"1"');
    for (const exact of ['"n":12345678901234567890', '"d":0.10']) t.true(made.text.includes(exact), 'ROW-REQUEST-2');
    t.like(made.body, {
      id: 'a',
      timeout_ms: 5000,
      enabled: true,
      auto_disabled: false,
      created_by: 'admin:ada',
      counts: { versions: 0, instances: 0 },
    });
    t.is((await ask('GET', '/a')).text, made.text);

    const patched = await ask('PATCH', `/a${WHY}`, '{"timeout_ms": 800, "config": {"d": null}}', at(1));
    t.is(patched.status, 200, patched.text);
    t.is(patched.etag, '"2"');
    t.true(patched.text.includes('"config":{"n":12345678901234567890}'));
    const same = await ask('PATCH', `/a${WHY}`, '{"timeout_ms": 800}', at(2));
    t.deepEqual([same.status, same.etag], [200, '"2"'], 'nothing is written');

    const put = await ask('PUT', `/a${WHY}`, '{"type": "pre", "subject": "x.other"}', at(2));
    t.like(put.body, { subject: 'x.other', timeout_ms: 5000, config: {}, revision: 3 });
    for (const [path, body] of [
      ['/a/versions/v2', '{"subject": "x.v2"}'],
      ['/a/instances/i', '{"subject": "x.i", "weight": 7}'],
    ] as const) {
      const child = await ask('PUT', `${path}${WHY}`, body, isNew);
      t.is(child.status, 201, child.text);
      t.is(child.location, `/admin/extensions${path}`);
      t.is((await ask('GET', path)).text, child.text);
      t.like((await ask('PATCH', `${path}${WHY}`, '{"enabled": false}', at(1))).body, { enabled: false, revision: 2 });
    }
    t.is((await ask('POST', `/a/versions${WHY}`, '{"version": "v10", "subject": "x.v10"}')).status, 201);
    t.deepEqual(
      (await ask('GET', '/a/versions')).body.items.map((row: { version: string }) => row.version),
      ['v2', 'v10'],
    );
    t.is((await ask('GET', '/a')).body.counts.versions, 2);
    t.is((await ask('DELETE', `/a/versions/v10${WHY}`, null, at(1))).status, 204);
    t.is((await ask('DELETE', `/a${WHY}`, null, any)).status, 204);
    t.is((await ask('GET', '/a/instances/i')).body.error.code, 'extension_not_found');
    const trail =
      await db.$client`select action, changed_by, reason from extension_audit_log where changed_by is not null order by revision, action`;
    t.deepEqual([...new Set(trail.map((row) => `${row.changed_by} ${row.reason}`))], ['admin:ada why']);
    t.is(trail.length, 12);
  },
);

onMigrated(
  'ROWS-1: a change in another revision than was read is refused with what it is now, and by whom',
  async (t, database) => {
    const { db, ask, between } = await world(t, database);
    await ask('POST', WHY, A);
    await ask('PUT', `/a/versions/v2${WHY}`, '{"subject": "x.v2"}', isNew);
    await ask('PATCH', `/a${WHY}`, '{"retry": 1}', at(1));
    for (const [method, body] of [
      ['PATCH', '{"retry": 2}'],
      ['PUT', '{"type": "pre", "subject": "x.a"}'],
      ['DELETE', null],
    ] as const) {
      const refused = await ask(method, `/a${WHY}`, body, at(1));
      t.is(refused.status, 412, method);
      t.like(refused.body, { error: { code: 'revision_conflict' }, revision: 2, changed_by: 'admin:ada' });
      t.regex(refused.body.changed_at, /^\d{4}-.*Z$/);
    }
    const exists = await ask('PUT', `/a/versions/v2${WHY}`, '{"subject": "x.v2"}', isNew);
    t.is(exists.status, 412);
    t.like(exists.body, { revision: 1, changed_by: 'admin:ada' });
    t.is(
      (await ask('POST', `/a/versions${WHY}`, '{"version": "v2", "subject": "x.v2"}')).body.error.code,
      'already_exists',
    );
    t.like(await ask('PATCH', `/a${WHY}`, '{"retry": 2, "revision": 1}', any), { status: 409 });
    t.like(await ask('PATCH', `/a${WHY}`, '{"retry": 2, "revision": 2}', at(2)), { status: 200, etag: '"3"' });

    // Another operator comes in between reading and writing.
    between.push(() => db.$client`update extensions set retry = 9 where id = 'a'`);
    const late = await ask('PATCH', `/a${WHY}`, '{"timeout_ms": 7}', at(3));
    t.is(late.status, 412, late.text);
    t.like(late.body, { revision: 4 });
    between.push(() => db.$client`update extensions set retry = 8 where id = 'a'`);
    t.like((await ask('PATCH', `/a${WHY}`, '{"timeout_ms": 7}', any)).body, { timeout_ms: 7, retry: 8, revision: 6 });
    between.push(() => db.$client`delete from extensions where id = 'a'`);
    t.is((await ask('PATCH', `/a${WHY}`, '{"timeout_ms": 6}', any)).body.error.code, 'extension_not_found');
    between.push(() => db.$client`insert into extensions (id, type, subject) values ('a', 'pre', 'x.theirs')`);
    t.is((await ask('POST', WHY, A)).status, 409);
  },
);

onMigrated('ROWS-4: a row that was disabled automatically, read and written back, stays so', async (t, database) => {
  const { db, ask } = await world(t, database);
  await ask('POST', WHY, A);
  const disabled = {
    id: randomUUID(),
    extension_id: 'a',
    change: 'auto_disable',
    revision: 1,
    reason: 'circuit',
  } as const;
  t.like(await applyAutoChange(db, disabled), { applied: true });
  const { text, etag } = await ask('GET', '/a');
  t.like(JSON.parse(text), { enabled: false, auto_disabled: true });
  t.is((await ask('PUT', `/a${WHY}`, text, { 'if-match': etag ?? '' })).etag, etag, 'it says what is so already');
  const slower = JSON.stringify({ ...JSON.parse(text), timeout_ms: 9000 });
  t.like((await ask('PUT', `/a${WHY}`, slower, any)).body, { timeout_ms: 9000, enabled: false, auto_disabled: true });
  t.like((await ask('PATCH', `/a${WHY}`, '{"enabled": false}', any)).body, { enabled: false, auto_disabled: false });
});

for (const enabled of [true, false])
  onMigrated(`ROWS-4: enabled ${enabled} is a decision over an automatic disable`, async (t, database) => {
    const { db, ask } = await world(t, database);
    const { text } = await ask('POST', WHY, A);
    const full = JSON.stringify({ ...JSON.parse(text), enabled, auto_disabled: false, revision: null });
    for (const [method, body] of [
      ['PATCH', `{"enabled": ${enabled}}`],
      ['PUT', full],
    ] as const) {
      const [row] = await db.$client`update extensions set enabled = true where id = 'a' returning revision::int`;
      const disable = {
        extension_id: 'a',
        change: 'auto_disable',
        revision: row?.revision,
        reason: 'circuit',
      } as const;
      t.like(await applyAutoChange(db, { ...disable, id: randomUUID() }), { applied: true });
      const answer = await ask(method, `/a${WHY}`, body, any);
      t.like(answer.body, { enabled, auto_disabled: false }, method);
    }
  });

const EXTENSION = {
  ...{ id: 'a', type: 'pre', subject: 'x.a', timeoutMs: 5000, retry: 0, enabled: true, breakerOverride: null },
  ...{ version: 'v1', config: { key: 'k' }, policy: { max_in_flight: 9 }, autoDisabled: false, revision: 1 },
  versions: [
    {
      ...{ version: 'v2', subject: 'x.v2', timeoutMs: 7, retry: 1, enabled: false, breakerOverride: 'isolated' },
      ...{ config: {}, routingRules: { region: 'eu' }, rolloutPercent: null, rolloutKey: null, revision: 4 },
    },
  ],
  instances: [{ id: 'i', subject: 'x.i', weight: 0, enabled: true, version: null, revision: 5 }],
} as unknown as Extension;

onMigrated(
  'ROWS-3: whether a row is in force is what this daemon has, and why not is what it refuses',
  async (t, database) => {
    const { db, ask, refused, runtimes } = await world(t, database);
    await ask('POST', WHY, A);
    t.like((await ask('GET', '/a')).body, { in_force: false, refused: null });
    runtimes.set('a', { extension: EXTENSION });
    t.like((await ask('GET', '/a')).body, { in_force: true });
    t.false('row_in_force' in (await ask('GET', '/a')).body);
    await db.$client.unsafe(`update extensions set policy = '{"max_in_flight": 0}' where id = 'a'`);
    const problem = 'policy.max_in_flight must be >= 1, got 0';
    const since = '2026-01-02T03:04:05.000Z';
    refused.push({ extensionId: 'a', revision: 2, since: '2026-01-02T03:04:06.000Z', problems: ['another part'] });
    refused.push({ extensionId: 'a', revision: 2, since, problems: [problem] });
    t.like((await ask('GET', '/a')).body, {
      in_force: false,
      refused: { since, problems: ['another part', problem] },
      revision: 2,
      policy: { max_in_flight: 0 },
      row_in_force: { revision: 1, subject: 'x.a', policy: { max_in_flight: 9 }, config: { key: 'k' } },
    });
    t.like((await ask('PATCH', `/a${WHY}`, '{"retry": 1}', any)).body, {
      problems: [{ pointer: '/policy/max_in_flight' }],
    });
    t.is((await ask('PATCH', `/a${WHY}`, '{"policy": {"max_in_flight": 1}}', any)).status, 200);
  },
);

onMigrated('POLICY-ROUTES-1: a policy is read and written as a part of its row', async (t, database) => {
  const { db, ask, runtimes } = await world(t, database);
  await ask('POST', WHY, A);
  const { body: unread, etag } = await ask('GET', '/a/policy');
  t.deepEqual(unread, { own: {}, effective: null, from: null, revision: 1, in_force: false, refused: null });
  t.is(etag, '"1"');
  const payload = '{"n":12345678901234567890}';
  const put = `{"max_in_flight": 5, "breaker": {"window_seconds": 30, "failure_threshold": 3}, "health_check": {"payload": ${payload}}}`;
  const written = await ask('PUT', `/a/policy${WHY}`, put, at(1));
  t.is(written.status, 200, written.text);
  t.is(written.etag, '"2"');
  t.true(written.text.includes(`"payload":${payload}`), 'ROW-REQUEST-2');
  t.like((await ask('GET', '/a')).body, { revision: 2, policy: { max_in_flight: 5, breaker: { window_seconds: 30 } } });
  const patch = '{"max_in_flight": null, "breaker": {"failure_threshold": null}, "health_check": null}';
  const patched = await ask('PATCH', `/a/policy${WHY}`, patch, at(2));
  t.like(patched.body, { own: { breaker: { window_seconds: 30 } }, revision: 3 });
  t.deepEqual(
    (await ask('PUT', `/a/policy${WHY}`, '{"panic": "fail"}', at(3))).body.own,
    { panic: 'fail' },
    'as a whole',
  );

  const policy = { panic: 'fail', breaker: { window_seconds: 20 }, retry: { budget_share: 0.5 } } as const;
  runtimes.set('a', { extension: { revision: 4, policy, versions: [], instances: [] } as unknown as Extension });
  const { effective, from, in_force } = (await ask('GET', '/a/policy')).body;
  t.true(in_force);
  t.like(effective, {
    panic: 'fail',
    balancer: 'weighted_round_robin',
    max_in_flight: null,
    health_check: null,
    fallback: [],
  });
  t.like(from, { panic: 'policy', balancer: 'default', max_in_flight: 'default', health_check: 'default' });
  t.like(effective.breaker, { window_seconds: 20, failure_threshold: 9, open_seconds: breakerSettings().open_seconds });
  t.like(from.breaker, { window_seconds: 'policy', failure_threshold: 'column', open_seconds: 'configuration' });
  t.deepEqual(
    [effective.retry, from.retry],
    [
      { budget_share: 0.5, budget_reserve: 3 },
      { budget_share: 'policy', budget_reserve: 'default' },
    ],
  );

  const refusals: readonly [string, string, Readonly<Record<string, string>>, number, object][] = [
    ['PUT', '{"max_in_flight": 0}', any, 422, { problems: [{ pointer: '/max_in_flight' }] }],
    ['PUT', '{"breaker": {"window_seconds": 0, "x": 1}}', any, 422, { code: 'row_invalid' }],
    ['PATCH', '{"fallback": ["a"]}', any, 422, { problems: [{ pointer: '/fallback' }] }],
    ['PUT', '[]', any, 400, { code: 'invalid_request' }],
    ['PUT', '{}', {}, 428, { code: 'precondition_required' }],
    ['PUT', '{}', isNew, 400, { code: 'invalid_request' }],
    ['PATCH', '{"panic": "fail"}', at(3), 412, { revision: 4, changed_by: 'admin:ada' }],
  ];
  for (const [method, body, headers, status, expected] of refusals) {
    const answer = await ask(method, `/a/policy${WHY}`, body, headers);
    t.is(answer.status, status, answer.text);
    t.like(answer.body, expected);
  }
  for (const [method, body] of [
    ['GET', null],
    ['PUT', '{}'],
  ] as const)
    t.is((await ask(method, `/none/policy${method === 'GET' ? '' : WHY}`, body, any)).body.code, 'extension_not_found');
  const [row] =
    await db.$client`select count(*)::int as n from extension_audit_log where action = 'update' and reason = 'why'`;
  t.is(row?.n, 3);
});

onMigrated(
  'rows: what the registry would refuse is 422 with every problem, and what no column holds',
  async (t, database) => {
    const { ask } = await world(t, database);
    await ask('POST', WHY, A);
    const cases: readonly [method: string, path: string, body: string, pointers: readonly string[]][] = [
      ['POST', '', '{"id": "b", "type": "x"}', ['/type', '/subject']],
      ['POST', '', '{"id": "health", "type": "pre", "subject": "x"}', ['/id']],
      ['POST', '', '{"id": "b", "type": "pre", "subject": "x", "id2": 1}', ['/id2']],
      ['PATCH', '/a', '{"config": {"a": "\\u0000"}}', ['/config/a']],
      ['PATCH', '/a', '{"metadata": ["\\ud800"]}', ['/metadata/0']],
      ['PATCH', '/a', '{"policy": {"fallback": ["a"]}}', ['/policy/fallback']],
      ['POST', '/a/instances', '{"id": "ü", "subject": "x"}', ['/instance_id']],
      ['POST', '/a/instances', '{"id": "..", "subject": "x"}', ['/id']],
      ['POST', '/a/versions', '{"version": "..", "subject": "x"}', ['/version']],
      ['POST', '/a/versions', '{"version": ".", "subject": "x"}', ['/version']],
      ['POST', '/a/versions', `{"version": "${'v'.repeat(33)}", "subject": "x"}`, ['']],
      ['POST', '/a/versions', '{"version": "v2", "subject": "x", "routing_rules": {"a": {}}}', ['/routing_rules/a']],
    ];
    for (const [method, path, body, expected] of cases) {
      const answer = await ask(method, `${path}${WHY}`, body, method === 'PATCH' ? any : {});
      t.is(answer.status, 422, answer.text);
      t.is(answer.body.error.code, 'row_invalid');
      t.deepEqual(
        answer.body.problems.map((one: { pointer: string }) => one.pointer),
        expected,
        answer.text,
      );
      for (const { message } of answer.body.problems) t.notRegex(message, /extensions\.|undefined/, body);
    }
  },
);

onMigrated('rows: a request that is none is refused by name', async (t, database) => {
  const { ask } = await world(t, database);
  await ask('POST', WHY, A);
  const cases: readonly [string, string, string | null, Readonly<Record<string, string>>, number, RegExp][] = [
    ['POST', '', A, {}, 400, /parameter 'reason' is missing/],
    ['POST', '?reason=%20', A, {}, 400, /parameter 'reason' must be a text of 1 to 1000/],
    ['POST', '?reason=x&by=a%0Ab', A, {}, 400, /parameter 'by'/],
    ['POST', WHY, '[]', {}, 400, /JSON object/],
    ['POST', WHY, '{"id": 7}', {}, 422, /id must be a text, got 7/],
    ['POST', WHY, '{"id": "a b", "type": "pre", "subject": "x"}', {}, 400, /an extension id is/],
    ['POST', WHY, '{"id": "a"', {}, 400, /line 1/],
    ['POST', WHY, A, { 'content-type': 'text/plain' }, 415, /application\/json/],
    ['POST', WHY, A, { 'content-type': 'application/merge-patch+json' }, 415, /application\/json/],
    ['POST', WHY, `{"id": "b", "x": "${'x'.repeat(262_144)}"}`, {}, 413, /too large/],
    ['PATCH', `/a${WHY}`, '{}', {}, 428, /If-Match/],
    ['DELETE', `/a${WHY}`, null, {}, 428, /If-Match/],
    ['PUT', `/a${WHY}`, '{}', {}, 428, /If-None-Match/],
    ['PATCH', `/a${WHY}`, '{}', { 'if-match': 'W/"1"' }, 400, /If-Match must be one ETag/],
    ['PATCH', `/a${WHY}`, '{}', { 'if-match': '"1", "2"' }, 400, /If-Match must be one ETag/],
    ['PATCH', `/a${WHY}`, '{}', isNew, 400, /If-None-Match/],
    ['PUT', `/a${WHY}`, '{}', { ...isNew, ...any }, 400, /both/],
    ['PUT', `/a${WHY}`, '{"id": "b", "type": "pre", "subject": "x"}', any, 422, /id must be "a", as in the path/],
    ['PATCH', `/a${WHY}`, '{"revision": "1"}', any, 422, /revision must be a whole number/],
    ['PATCH', `/none${WHY}`, '{}', any, 404, /no extension 'none'/],
    ['PATCH', `/a/versions/v9${WHY}`, '{}', any, 404, /no version 'v9' of a/],
    ['GET', '/a/instances/i', null, {}, 404, /no instance 'i' of a/],
    ['GET', '/none/versions', null, {}, 404, /no extension 'none'/],
    ['GET', '/a?x=1', null, {}, 400, /there is no parameter "x"/],
  ];
  for (const [method, path, body, headers, status, message] of cases) {
    const answer = await ask(method, path, body, headers);
    t.is(answer.status, status, `${method} ${path} ${answer.text}`);
    t.regex(answer.body.error.message, message, `${method} ${path}`);
  }
});

test('rows: while the database is away, each answer says so', async (t) => {
  const away = () => Promise.reject(new Error('connect ECONNREFUSED'));
  const rows = new Rows({
    ...{ read: away, readFallbacks: away, readChange: away, write: away },
    inForce: new InForce({ revision: 0 }, systemClock),
    registry: { runtimes: new Map(), refusedRows: () => [] },
    rules: { ownPrefix: 'extreg.v1', allowedPrefixes: [] },
    clock: systemClock,
    log: silentLogger,
  });
  const row = { kind: 'extension', extensionId: 'a', name: '' } as const;
  const order = {
    ...row,
    how: 'delete',
    fields: {},
    expects: 'any',
    revisionInBody: null,
    reason: 'x',
    actor: 'x',
  } as const;
  for (const answer of [await rows.read(row), await rows.list('a', 'version'), await rows.edit(order)])
    t.deepEqual(answer, { kind: 'database_unavailable', message: 'rows are in the database: connect ECONNREFUSED' });
});

test('ROWS-6: while the database is away, rows are read from memory and cannot be changed', async (t) => {
  const away = () => Promise.reject(new Error('connect ECONNREFUSED'));
  const rows = new Rows({
    ...{ read: away, readFallbacks: away, readChange: away, write: away },
    inForce: new InForce({ revision: 0 }, systemClock),
    registry: { runtimes: new Map([['a', { extension: EXTENSION }]]), refusedRows: () => [] },
    rules: { ownPrefix: 'extreg.v1', allowedPrefixes: [] },
    clock: systemClock,
    log: silentLogger,
  });
  const { url } = await listen(t, { rows });
  const get = async (path: string) => {
    const response = await fetch(`${url}/admin/extensions/${path}`);
    return { etag: response.headers.get('etag'), body: await response.json() };
  };
  const state = { in_force: true, refused: null, from: 'memory' };
  const own = { ...{ id: 'a', subject: 'x.a', policy: { max_in_flight: 9 }, revision: 1 }, ...state };
  const version = { ...{ extension_id: 'a', version: 'v2', breaker_override: 'isolated', revision: 4 }, ...state };
  const instance = { ...{ extension_id: 'a', id: 'i', weight: 0, revision: 5 }, ...state };
  for (const [path, expected] of [
    ['a', own],
    ['a/versions/v2', version],
    ['a/instances/i', instance],
    ['a/versions', { items: [version] }],
    ['a/instances', { items: [instance] }],
    ['a/policy', { own: { max_in_flight: 9 }, row_from: 'memory', revision: 1 }],
  ] as const)
    t.like(await get(path), { etag: null, body: expected } as never, path);
  for (const path of ['b', 'a/versions/v9', 'b/instances'])
    t.like((await get(path)).body, { code: 'database_unavailable' }, path);
  const patch = { method: 'PATCH', headers: { ...any, 'content-type': 'application/json' }, body: '{"retry": 1}' };
  t.is((await fetch(`${url}/admin/extensions/a${WHY}`, patch)).status, 503);
});

test('rows: a viewer gets no config, also not of the row that is in force', async (t) => {
  const row = { id: 'a', config: { key: 'secret' }, row_in_force: { retry: 1, config: { key: 'secret' } } };
  const rows: RowDesk = {
    read: async () => ({ kind: 'row', row, revision: 1, created: false }),
    list: async () => ({ kind: 'rows', rows: [row] }),
    edit: async () => ({ kind: 'deleted' }),
  };
  const admit = () => ({ kind: 'admitted', principal: { ...OPEN_PRINCIPAL, role: 'viewer' } }) as const;
  const { url } = await listen(t, { rows, access: { ...openAccess, admit } });
  for (const path of ['a', 'a/versions']) {
    const text = await (await fetch(`${url}/admin/extensions/${path}`)).text();
    t.notRegex(text, /secret/);
    t.regex(text, /"row_in_force":\{"retry":1,"config_hidden":true\}/);
  }
});

onMigrated('rows: none is made that is called health, and one that is there can be changed', async (t, database) => {
  const { db, ask } = await world(t, database);
  const row = '{"type": "pre", "subject": "x"}';
  for (const [method, path, body, headers] of [
    ['POST', WHY, '{"id": "health", "type": "pre", "subject": "x"}', {}],
    ['PUT', `/health${WHY}`, row, isNew],
  ] as const)
    t.like(await ask(method, path, body, headers), {
      status: 422,
      body: { code: 'row_invalid', problems: [{ pointer: '/id' }] },
    });
  t.is((await ask('PUT', `/health${WHY}`, row, any)).status, 404);
  await db.$client`insert into extensions (id, type, subject) values ('health', 'pre', 'x')`;
  t.is((await ask('PUT', `/health${WHY}`, '{"type": "pre", "subject": "y"}', at(1))).status, 200);
});

test('rows: expand adds versions, instances and what is measured of them, and has no ETag', async (t) => {
  const rows: RowDesk = {
    read: async () => ({ kind: 'row', row: { id: 'a', policy: {} }, revision: 1, created: false }),
    list: async (_id, kind) => ({
      kind: 'rows',
      rows: kind === 'version' ? [{ version: 'v2' }] : [{ id: 'i' }, { id: 'j' }],
    }),
    edit: async () => ({ kind: 'deleted' }),
  };
  const measured = () => ({
    version: (name: string) => (name === 'v2' ? { circuit_breaker_state: 'open' } : null),
    instance: (id: string) => (id === 'i' ? { health_status: 'healthy', in_flight: 3 } : null),
  });
  const inForce = { effective: { panic: 'fail' }, from: { panic: 'policy' } } as const;
  const management = { ...noManagement, measured, policyInForce: () => inForce };
  const { url } = await listen(t, { rows, management });
  const get = async (query: string) => {
    const response = await fetch(`${url}/admin/extensions/a${query}`);
    return { etag: response.headers.get('etag'), body: (await response.json()) as { detail?: string } };
  };
  t.deepEqual(await get('?expand=versions,instances,policy'), {
    etag: null,
    body: {
      ...{ id: 'a', policy: {}, versions: [{ version: 'v2', circuit_breaker_state: 'open' }] },
      instances: [{ id: 'i', health_status: 'healthy', in_flight: 3 }, { id: 'j' }],
      policy_in_force: inForce,
    },
  });
  t.deepEqual(Object.keys((await get('?expand=policy&expand=versions')).body).sort(), [
    ...['id', 'policy', 'policy_in_force', 'versions'],
  ]);
  t.deepEqual(await get(''), { etag: '"1"', body: { id: 'a', policy: {} } });
  t.regex(
    (await get('?expand=versions,x')).body.detail ?? '',
    /may not have "x": it must be some of versions, instances, policy/,
  );
});
