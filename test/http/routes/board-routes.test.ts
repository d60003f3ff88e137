// The overview, lists, histories and failures over HTTP.
import test from 'ava';
import type { ActorWorld as World } from '../../helpers/actor-world.js';
import { ActorWorld, START_WALL_MS } from '../../helpers/actor-world.js';
import {
  changesOf,
  extensionRow,
  instanceRow,
  registryEntry,
  snapshotOf,
  versionRow,
} from '../../helpers/registry-rows.js';
import { listen } from '../helpers.js';

function running(...ids: string[]): World {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, ...ids.map((id) => registryEntry(extensionRow(id)))));
  return world;
}

/** Of the answers, as far as the tests look at them. */
interface Body {
  readonly columns: Readonly<Record<string, unknown[]>>;
  readonly items: readonly { readonly id: string }[];
  readonly calls: readonly unknown[];
  readonly step: number;
  readonly detail: string;
}

const read = async (url: string, headers: Record<string, string> = {}) => {
  const response = await fetch(url, { headers });
  return { response, body: (response.status === 304 ? {} : await response.json()) as Body };
};

/** Time passes until it is done. */
async function passing<T>(world: World, work: Promise<T>): Promise<T> {
  let isDone = false;
  const done = work.finally(() => {
    isDone = true;
  });
  while (!isDone) await world.pass(50);
  return done;
}

test('the overview has all rows as columns, and 304 while nothing changes', async (t) => {
  const world = running('a', 'b');
  for (let i = 0; i < 5; i++) world.callEnding('b', 500);
  const { url } = await listen(t, { board: world.core.board });
  const { response, body } = await read(`${url}/admin/overview`);
  t.like(body, { boot: 'boot-1', total: 2, revision: 1, stale: 0 });
  t.like(body.columns, {
    k: [1, 2],
    id: ['a', 'b'],
    type: ['pre', 'pre'],
    version: ['v1', 'v1'],
    state: [0, 1],
    success_rate: [null, 0],
    failed: [0, 0.5],
  });
  const columns = Object.values(body.columns);
  t.is(columns.length, 14);
  t.true(columns.every(({ length }) => length === 2));
  const etag = response.headers.get('etag') ?? '';
  t.regex(etag, /^W\/"boot-1-\d+-1-0"$/);
  t.regex(response.headers.get('vary') ?? '', /authorization/);
  for (const known of [etag, etag.slice(2), `"x", ${etag}`, '*']) {
    const { response: again } = await read(`${url}/admin/overview`, { 'if-none-match': known });
    t.is(again.status, 304, known);
    t.is(again.headers.get('etag'), etag);
  }
  world.callEnding('a', 0);
  const { response: other } = await passing(world, read(`${url}/admin/overview`, { 'if-none-match': etag }));
  t.is(other.status, 200);
  t.not(other.headers.get('etag'), etag);
  const tag = other.headers.get('etag') ?? '';
  world.feed$.next(changesOf(2, []));
  const later = await passing(world, read(`${url}/admin/overview`, { 'if-none-match': tag }));
  t.is(later.response.status, 200, 'the revision is part of it');
  t.like(later.body, { revision: 2 });
});

test('a large overview is compressed, and made in many turns', async (t) => {
  const world = running(...Array.from({ length: 600 }, (_, i) => `extension_${i}`));
  const { url } = await listen(t, { board: world.core.board });
  await world.pass(2000);
  // A step of 64 rows takes longer than a slice.
  world.clock.readingMs = 0.3;
  world.clock.delays.length = 0;
  const { response, body } = await passing(world, read(`${url}/admin/overview`, { 'accept-encoding': 'gzip' }));
  const pauses = world.clock.delays.filter((ms) => ms === 1).length;
  t.true(pauses >= 9, `${pauses} pauses`);
  t.is(response.headers.get('content-encoding'), 'gzip');
  t.is(body.columns.id?.length, 600);
  t.is(body.columns.id?.[599], 'extension_599');
});

test('the list is paged, filtered and sorted by its parameters', async (t) => {
  const world = running('a', 'b', 'c', 'd');
  for (let i = 0; i < 5; i++) world.callEnding('c', 500);
  const { url } = await listen(t, { board: world.core.board });
  const ids = async (query: string) => {
    const { body } = await read(`${url}/admin/extensions?${query}`);
    return { ...body, ids: body.items.map(({ id }) => id) } as unknown as {
      ids: string[];
      next: string | null;
      total: number;
      revision: number;
    };
  };
  const first = await ids('limit=3');
  t.like(first, { ids: ['a', 'b', 'c'], total: 4, revision: 1 });
  t.deepEqual((await ids(`limit=3&after=${first.next}`)).ids, ['d']);
  t.deepEqual((await ids('id=a,c&id=d')).ids, ['a', 'c', 'd']);
  t.deepEqual((await ids('state=open,isolated')).ids, ['c']);
  t.deepEqual((await ids('sort=-failed_per_second,-id')).ids, ['c', 'd', 'b', 'a']);
  t.deepEqual((await ids('wrong=true&type=pre&auto_disabled=true')).ids, ['c']);
  t.deepEqual((await ids('override=none&enabled=true&q=A')).ids, ['a']);
  const longest = Array.from({ length: 60 }, (_, i) => `e${i}`.padEnd(255, 'x'));
  t.deepEqual((await ids(`id=${longest.join(',')}`)).ids, [], 'as many as there may be fit into a request');
  for (const [query, what] of [
    ['limit=0', /'limit'/],
    ['limit=1001', /'limit'/],
    ['state=closed,ajar', /'state' may not have "ajar": it must be some of closed, open,/],
    ['sort=speed', /refused_per_second/],
    ['after=x', /after must be/],
    [`id=${Array.from({ length: 61 }, (_, i) => `e${i}`).join(',')}`, /60 values at most, got 61/],
    ['override=open', /'override' must be one of isolated, forced_closed, none/],
    ['enabled=yes', /'enabled'/],
  ] as const) {
    const { response, body } = await read(`${url}/admin/extensions?${query}`);
    t.is(response.status, 400, query);
    t.regex(body.detail, what);
  }
});

test('history and sparklines', async (t) => {
  const world = running('a');
  world.callEnding('a', 0);
  await world.pass(11_000, 1000);
  const { url } = await listen(t, { board: world.core.board });
  const { body } = await read(`${url}/admin/extensions/a/history`);
  t.is(body.calls.at(-1), 1);
  t.is((await read(`${url}/admin/extensions/a/history?step=60&version=v1`)).body.step, 60);
  t.is((await read(`${url}/admin/extensions/a/history?step=30`)).response.status, 400);
  t.like((await read(`${url}/admin/extensions/a/history?version=v7`)).body, { code: 'version_not_found' });
  t.like((await read(`${url}/admin/extensions/zz/history`)).body, { code: 'extension_not_found' });
  const { body: lines } = await read(`${url}/admin/sparklines?k=1&k=2`);
  t.is((lines.calls as number[][])[0]?.at(-1), 1);
  t.is(lines.calls[1], null);
  t.is((await read(`${url}/admin/sparklines`)).response.status, 400);
  const many = Array.from({ length: 201 }, (_, i) => i).join(',');
  t.regex((await read(`${url}/admin/sparklines?k=${many}`)).body.detail, /200 values at most, got 201/);
});

test('the last failures of a version, newest first: how, where, after how long, and nothing of a payload', async (t) => {
  const world = new ActorWorld();
  const versions = [versionRow('a', 'v2', { routing_rules: { tenant: 'x' } })];
  const instances = [instanceRow('a', 'i1', { version: 'v1' })];
  const checked = extensionRow('b', { policy: { health_check: { interval_seconds: 10 } } });
  world.feed$.next(
    snapshotOf(1, registryEntry(extensionRow('a', { retry: 1 }), { versions, instances }), registryEntry(checked)),
  );
  const { url } = await listen(t, { board: world.core.board });
  const failures = async (query: string) => {
    const { body } = await read(`${url}/admin/extensions/${query}`);
    return (body as unknown as { failures: Record<string, unknown>[] }).failures;
  };
  t.deepEqual(await failures('a/failures'), []);
  t.is(
    world.core.supervisor.runtimes.get('a')?.defaultService?.target.stats.failures,
    null,
    'nothing is kept of nothing',
  );
  world.call('a');
  await world.pass(100);
  world.sent.at(-1)?.end(503);
  await world.pass(200, 10);
  const at = new Date(START_WALL_MS + world.clock.now()).toISOString();
  world.sent.at(-1)?.end('timeout');
  const [last, first, ...others] = await failures('a/failures');
  t.deepEqual(others, []);
  t.like(first, { kind: 'error', code: 503, message: 'no', instance_id: 'i1', attempt: 1, duration_ms: 100 });
  t.like(last, { at, kind: 'timeout', instance_id: 'i1', attempt: 2 });
  t.false('code' in (last ?? {}));
  await world.pass(60_000, 1000);
  t.deepEqual(await failures('a/failures'), [last, first], 'it says the same later');
  t.deepEqual(await failures('a/failures?version=v2'), []);
  const check = world.checks.at(-1);
  check?.end(500);
  t.like((await failures('b/failures'))[0], { kind: 'error', code: 500, attempt: null, instance_id: null });
  t.like((await read(`${url}/admin/extensions/a/failures?version=v9`)).body, { code: 'version_not_found' });
});
