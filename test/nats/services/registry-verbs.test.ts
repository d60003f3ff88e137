// `show`, `list` and `audit` over NATS: what they take, and what each role sees.
import test from 'ava';
import type { AuditPage } from '../../../src/actors/ports/audit.js';
import { BOARD_STATES } from '../../../src/domain/board-codes.js';
import type { JsonMap } from '../../../src/domain/exact-json.js';
import type { AuditQuery } from '../../../src/domain/registry/audit-query.js';
import type { ListQuery } from '../../../src/domain/registry/list-query.js';
import type { AdminAnswer } from '../../../src/nats/services/admin.js';
import { registryVerbs } from '../../../src/nats/services/registry-verbs.js';

const ID = '3f1c7a52-0b7e-4e0a-9d53-1f2a6c7b8d90';
const PAGE: AuditPage = {
  kind: 'page',
  rows: [
    {
      at: '2026-01-01T00:00:00.000000Z',
      id: ID,
      extension_id: 'a',
      action: 'update',
      old_values: '{"config": {"k": "secret"}, "retry": 0}',
      new_values: '{"config": {"k": "other"}, "retry": 1}',
      is_too_large: false,
      changed_by: 'admin',
      reason: null,
      revision: 3,
    },
  ],
  next: { at: '2026-01-01T00:00:00.000000Z', id: ID },
};

function world() {
  const lists: ListQuery[] = [];
  const audits: AuditQuery[] = [];
  const verbs = registryVerbs({
    rows: {
      read: async ({ extensionId }) =>
        extensionId === 'a'
          ? { kind: 'row', row: { id: 'a', config: { k: 'secret' } }, revision: 1, created: false }
          : extensionId === 'away'
            ? { kind: 'database_unavailable', message: 'away' }
            : { kind: 'extension_not_found', message: 'none' },
    },
    board: {
      list: async (query) => {
        lists.push(query);
        return query.sort?.includes('nonsense')
          ? { kind: 'invalid', message: 'no such column' }
          : { kind: 'page', items: ['{"id":"a"}'], next: null, total: 1, revision: 7 };
      },
    },
    audit: async (query) => {
      audits.push(query);
      return query.by === 'away' ? { kind: 'database_unavailable', message: 'away' } : PAGE;
    },
  });
  const ask = async (verb: string, request: JsonMap, role: 'viewer' | 'operator' = 'viewer'): Promise<AdminAnswer> =>
    (await verbs.get(verb)?.answer(request, role)) as AdminAnswer;
  return { ask, lists, audits };
}

const textOf = (answer: AdminAnswer): string => (answer.kind === 'parts' ? [...answer.parts].join('') : '');
const codeOf = (answer: AdminAnswer): string => (answer.kind === 'refused' ? answer.error.code : answer.kind);

test('show: the row, whose config is for operators', async (t) => {
  const { ask } = world();
  t.deepEqual(JSON.parse(textOf(await ask('show', { extension_id: 'a' }, 'operator'))), {
    id: 'a',
    config: { k: 'secret' },
  });
  t.deepEqual(JSON.parse(textOf(await ask('show', { extension_id: 'a' }))), { id: 'a', config_hidden: true });
  t.is(codeOf(await ask('show', { extension_id: 'b' })), 'extension_not_found');
  t.is(codeOf(await ask('show', { extension_id: 'away' })), 'database_unavailable');
  for (const wrong of [{}, { extension_id: 1 }, { extension_id: 'a b' }, { extension_id: null }])
    t.is(codeOf(await ask('show', wrong as JsonMap)), 'invalid_request', JSON.stringify(wrong));
});

test('list: what the admin API lists, with the same filters', async (t) => {
  const { ask, lists } = world();
  const answer = await ask('list', {
    q: 'x',
    state: ['open'],
    type: ['pre'],
    wrong: true,
    auto_disabled: false,
    limit: 5,
  });
  t.deepEqual(answer, {
    kind: 'list',
    name: 'items',
    items: ['{"id":"a"}'],
    rest: { next: null, total: 1, revision: 7 },
  });
  t.deepEqual(lists[0], {
    q: 'x',
    states: new Set(['open']),
    types: new Set(['pre']),
    wrong: true,
    autoDisabled: false,
    limit: 5,
  });
  await ask('list', {});
  t.deepEqual(lists[1], { limit: 100 });
  for (const wrong of [
    { limit: 0 },
    { limit: 1001 },
    { limit: '5' },
    { state: 'open' },
    { state: ['ajar'] },
    { sort: 'id' },
  ])
    t.is(codeOf(await ask('list', wrong as JsonMap)), 'invalid_request', JSON.stringify(wrong));
  t.is(codeOf(await ask('list', { sort: ['nonsense'] })), 'invalid_request');
  const ajar = await ask('list', { state: ['open', 'ajar'] });
  t.is(
    ajar.kind === 'refused' ? ajar.error.message : '',
    `state/1 must be one of ${BOARD_STATES.join(', ')}, got "ajar"`,
  );
  t.is(lists.length, 3);
});

test('audit: a page of the trail, without config for viewers, and the way to the next', async (t) => {
  const { ask, audits } = world();
  const seen = textOf(await ask('audit', { extension_id: 'a', since: '2026-01-01', limit: 1 }));
  t.false(seen.includes('secret'));
  t.true(textOf(await ask('audit', {}, 'operator')).includes('secret'));
  const { next } = JSON.parse(seen) as { next: string };
  await ask('audit', { after: next });
  t.like(audits[0], { extensionId: 'a', since: '2026-01-01T00:00:00.000Z', limit: 1, after: null });
  t.deepEqual(audits[2]?.after, PAGE.next);
  t.is(codeOf(await ask('audit', { by: 'away' })), 'database_unavailable');
  for (const wrong of [
    { after: 'x' },
    { since: 'yesterday' },
    { until: '2026-02-40' },
    { after_revision: -1 },
    { limit: 1.5 },
  ])
    t.is(codeOf(await ask('audit', wrong as JsonMap)), 'invalid_request', JSON.stringify(wrong));
});
