// `GET /admin/audit`: what is asked for, what comes out, and for whom.
import test, { type ExecutionContext } from 'ava';
import { Compile } from '#typebox/compile';
import type { ListAudit } from '../../../src/actors/ports/audit.js';
import { OPEN_PRINCIPAL, type Role } from '../../../src/domain/access/principal.js';
import type { AuditRow } from '../../../src/domain/registry/audit-answer.js';
import { auditPageSchema } from '../../../src/domain/registry/audit-answer.js';
import type { AuditQuery } from '../../../src/domain/registry/audit-query.js';
import { openAccess } from '../../helpers/access.js';
import { listen, noManagement } from '../helpers.js';

const ID = '6f1c1a30-0000-4000-8000-000000000001';
const row = (over: Partial<AuditRow> = {}): AuditRow => ({
  id: ID,
  at: '2026-01-01T00:00:00.123456Z',
  extension_id: 'a',
  action: 'update',
  old_values: '{"id": "a", "retry": 0, "config": {"k": "secret-1"}, "revision": 1, "version": "v1"}',
  new_values: '{"id": "a", "retry": 2, "config": {"k": "secret-2"}, "revision": 2, "version": "v1"}',
  is_too_large: false,
  changed_by: 'admin:ada',
  reason: 'why',
  revision: 9,
  ...over,
});

async function world(t: ExecutionContext, answer: Awaited<ReturnType<ListAudit>>, role: Role = 'admin') {
  const asked: AuditQuery[] = [];
  const audit: ListAudit = async (query) => {
    asked.push(query);
    return answer;
  };
  const { url } = await listen(t, {
    management: { ...noManagement, audit },
    access: { ...openAccess, admit: () => ({ kind: 'admitted', principal: { ...OPEN_PRINCIPAL, role } }) },
  });
  const get = async (query = '') => {
    const response = await fetch(`${url}/admin/audit${query}`);
    const text = await response.text();
    return { status: response.status, text, body: JSON.parse(text) };
  };
  return { asked, get };
}

test('audit: who, what, when and why, with what it changed; next asks for the rest', async (t) => {
  const next = { at: '2026-01-01T00:00:00.123456Z', id: ID };
  const rows = [
    row(),
    row({ action: 'version_disable', new_values: '{"id": "a", "version": "v2", "revision": 3}', old_values: null }),
    row({ action: 'instance_drain', new_values: '{"instance_id": "i", "version": "v2"}', old_values: null }),
    row({ action: 'circuit_opened', new_values: '{"version": "v3", "failures": 5}', old_values: null, revision: null }),
    row({ is_too_large: true, old_values: null, new_values: null }),
    row({ new_values: `{"config": ${'['.repeat(300)}${']'.repeat(300)}}` }),
  ];
  const { get, asked } = await world(t, { kind: 'page', rows, next });
  const { status, body } = await get();
  t.is(status, 200);
  t.deepEqual([...Compile(auditPageSchema).Errors(body)], []);
  t.deepEqual(body.items[0], {
    id: ID,
    changed_at: '2026-01-01T00:00:00.123456Z',
    changed_by: 'admin:ada',
    extension_id: 'a',
    version: null,
    instance_id: null,
    action: 'update',
    reason: 'why',
    registry_revision: 9,
    revision: 2,
    changes: [
      { path: '/retry', from: 0, to: 2 },
      { path: '/config/k', from: 'secret-1', to: 'secret-2' },
    ],
    cut: false,
  });
  t.like(body.items[1], { version: 'v2', revision: 3 });
  t.like(body.items[2], { instance_id: 'i', version: null });
  t.like(body.items[3], { version: 'v3', revision: null, registry_revision: null });
  for (const one of [body.items[4], body.items[5]]) t.like(one, { changes: [], cut: true });
  await get(`?after=${body.next}`);
  t.deepEqual(asked[1]?.after, next);
});

test('AUDIT-CHANGES-4: a viewer gets no value of config, wherever it is', async (t) => {
  const rows = [row(), row({ action: 'create', old_values: null }), row({ action: 'delete', new_values: null })];
  const { get } = await world(t, { kind: 'page', rows, next: null }, 'viewer');
  const { text, body } = await get();
  t.notRegex(text, /secret/);
  t.deepEqual(body.next, null);
  for (const { changes } of body.items)
    t.true(changes.some((one: { path: string; hidden?: true }) => one.path === '/config' && one.hidden));
  const operator = await world(t, { kind: 'page', rows, next: null }, 'operator');
  t.regex((await operator.get()).text, /secret-2/);
});

test('audit: each filter is handed over', async (t) => {
  const { get, asked } = await world(t, { kind: 'page', rows: [], next: null });
  const query =
    '?limit=7&extension_id=_&action=disable&by=ada&since=2026-01-31T23:14:00%2B01:00&until=2026-02-01&after_revision=12';
  t.is((await get(query)).status, 200);
  t.deepEqual((await get()).body, { items: [], next: null });
  const none = {
    after: null,
    extensionId: null,
    action: null,
    by: null,
    since: null,
    until: null,
    afterRevision: null,
  };
  t.deepEqual(asked, [
    {
      ...{ limit: 7, after: null, extensionId: '_', action: 'disable', by: 'ada', afterRevision: 12 },
      ...{ since: '2026-01-31T22:14:00.000Z', until: '2026-02-01T00:00:00.000Z' },
    },
    { limit: 100, ...none },
  ]);
});

const cursor = (text: string) => Buffer.from(text).toString('base64url');
for (const query of [
  'limit=0',
  'limit=1001',
  'limit=x',
  'after=x',
  `after=${cursor(`2026-02-30T00:00:00.000000Z ${ID}`)}`,
  `after=${cursor(`2026-01-01T00:00:00.000000Z x'; drop table extensions`)}`,
  'since=yesterday',
  'until=2026-13-01',
  'since=1000-01-01',
  'since=2026-02-30',
  'until=2025-02-29T10:00:00Z',
  'since=2026-04-31T10:00:00%2B02:00',
  'after_revision=-1',
  'by=%20',
  'order=asc',
])
  test(`audit: ?${query} is refused by name`, async (t) => {
    const { get, asked } = await world(t, { kind: 'page', rows: [], next: null });
    const { status, body } = await get(`?${query}`);
    t.is(status, 400);
    t.regex(body.detail, new RegExp(query.split('=')[0] as string));
    t.is(asked.length, 0);
  });

test('audit: without its database it is 503', async (t) => {
  const { get } = await world(t, { kind: 'database_unavailable', message: 'away' });
  t.like(await get(), { status: 503, body: { code: 'database_unavailable', detail: 'away' } });
});
