// Access tokens in a real database, on both engines: TOKEN-QUERIES-1, and what the table refuses.
import { randomBytes } from 'node:crypto';
import anyTest, { type TestFn } from 'ava';
import { tokenHash } from '../../../src/actors/access/token-text.js';
import type { NewToken } from '../../../src/actors/ports/access.js';
import { tokenStore } from '../../../src/db/queries/token-queries.js';
import { onBothEngines } from '../../helpers/postgres.js';

const onMigrated = onBothEngines(anyTest as TestFn);

const token = (name: string, more: Partial<NewToken> = {}): NewToken => ({
  name,
  role: 'viewer',
  kind: 'token',
  hash: tokenHash(randomBytes(8).toString('hex')),
  parent: null,
  createdBy: 'local:ada',
  expiresAtMs: null,
  ...more,
});

onMigrated(
  'TOKEN-QUERIES-1: a token is made, read, used and revoked, with its rows in the trail',
  async (t, database) => {
    const db = database.open();
    const store = tokenStore(db);
    t.deepEqual(await store.read(), []);
    const expiresAtMs = Date.UTC(2030, 0, 1);
    const wanted = token('ada', { role: 'admin', expiresAtMs });
    const made = await store.create(wanted);
    t.like(made, { name: 'ada', role: 'admin', created_by: 'local:ada', last_used_at: null });
    t.is(made?.expires_at, '2030-01-01T00:00:00.000Z');
    const id = made?.id ?? '';
    t.deepEqual(await store.read(), [
      { id, name: 'ada', role: 'admin', kind: 'token', hash: wanted.hash, actor: 'token:ada', expiresAtMs },
    ]);
    t.is(await store.create(token('ada')), null);
    await store.noteUses(new Map([[id, Date.UTC(2026, 0, 1)]]));
    t.is((await store.list())[0]?.last_used_at, '2026-01-01T00:00:00.000Z');
    t.false(await store.revoke('11111111-1111-1111-1111-111111111111', { actor: 'x', reason: 'y' }));
    t.false(await store.revoke("' or true --", { actor: 'x', reason: 'y' }));
    t.false(await store.revoke('\0', { actor: 'x', reason: 'y' }));
    t.true(await store.revoke(id, { actor: 'token:bob', reason: 'left' }));
    const trail = await db.$client`select extension_id, action, old_values, new_values, changed_by, reason, revision
    from extension_audit_log order by changed_at`;
    t.deepEqual(
      trail.map(({ action, changed_by, reason, extension_id, revision }) => [
        action,
        changed_by,
        reason,
        extension_id,
        revision,
      ]),
      [
        ['token_created', 'local:ada', null, '_', null],
        ['token_revoked', 'token:bob', 'left', '_', null],
      ],
    );
    t.false(JSON.stringify(trail).includes(wanted.hash));
  },
);

onMigrated(
  'token-queries: a sign-in goes with the token that asked for it, is not in the trail, and ends at its time',
  async (t, database) => {
    const db = database.open();
    const store = tokenStore(db);
    const parent = (await store.create(token('ada')))?.id ?? '';
    const signIn = { kind: 'sign_in', parent, createdBy: 'token:ada' } as const;
    await store.create(token('ada', { ...signIn, expiresAtMs: Date.UTC(2100, 0, 1) }));
    await store.create(token('ada', { ...signIn, expiresAtMs: Date.UTC(2020, 0, 1) }));
    t.is((await store.list()).length, 1);
    t.is((await store.read())?.filter(({ actor }) => actor === 'token:ada').length, 3);
    await store.prune();
    t.is((await store.read())?.length, 2);
    await store.revoke(parent, { actor: 'x', reason: 'left' });
    t.deepEqual(await store.read(), []);
    const [row] = await db.$client`select count(*)::int as count from extension_audit_log`;
    t.is(row?.count, 2);
  },
);

onMigrated(
  'token-queries: two that are made at once under one name are one, and one audit row',
  async (t, database) => {
    const db = database.open();
    const store = tokenStore(db);
    const made = await Promise.all([
      store.create(token('ada')),
      store.create(token('ada')),
      store.create(token('ada')),
    ]);
    t.is(made.filter((one) => one !== null).length, 1);
    const [row] = await db.$client`select count(*)::int as count from extension_audit_log`;
    t.is(row?.count, 1);
  },
);

onMigrated('token-queries: a database without the table has no tokens', async (t, database) => {
  const db = database.open();
  await db.$client`drop table extension_tokens`;
  t.is(await tokenStore(db).read(), null);
});
