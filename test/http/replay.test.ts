// `POST …/replay` and `extreg replay`: from what a core recorded to what an operator reads, and what is refused with which words.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { Replays } from '../../src/actors/reporting/replays.js';
import type { ReplayAnswer } from '../../src/domain/breaker/replay-answer.js';
import { directory, run } from '../cli/run.js';
import { ActorWorld, START_WALL_MS } from '../helpers/actor-world.js';
import { extensionRow, registryEntry, snapshotOf, versionRow } from '../helpers/registry-rows.js';
import { listen, noManagement } from './helpers.js';

/** An extension `a` with four failed calls, a second apart; of `off` nothing is recorded, and of `new` nothing yet. */
function world(t: { teardown(fn: () => unknown): void }) {
  const core = new ActorWorld();
  core.core.start();
  t.teardown(() => core.core.stop());
  const row = extensionRow('a', { policy: { record: 100, breaker: { failure_threshold: 4 } } });
  const other = extensionRow('new', { policy: { record: 10 } });
  core.feed$.next(snapshotOf(1, ...[row, other, extensionRow('off')].map((one) => registryEntry(one))));
  for (let i = 0; i < 4; i++) {
    core.clock.advance(1000);
    core.callEnding('a', 500);
  }
  const { clock } = core;
  const { runtimes } = core.core.supervisor;
  const replays = new Replays({ runtimes, clock, wall: () => START_WALL_MS + clock.now() });
  return { core, replays };
}

// One server: to start it takes longer than all that is asked of it.
let url = '';
const ends: (() => unknown)[] = [];
test.before(async () => {
  const ending = { teardown: (end: () => unknown) => void ends.push(end) };
  const { replays } = world(ending);
  const server = await listen(ending as ExecutionContext, {
    management: { ...noManagement, replay: replays.run.bind(replays) },
  });
  url = server.url;
});

test.after.always(async () => {
  for (const end of ends) await end();
});

const post = async (body: unknown, id = 'a') => {
  const response = await fetch(`${url}/admin/extensions/${id}/replay`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: response.status, answer: (await response.json()) as ReplayAnswer & { detail?: string } };
};

const at = (seconds: number): string => new Date(START_WALL_MS + seconds * 1000).toISOString();

test('REPLAYS-1: what would have happened, beside what did, and what cannot be known', async (t) => {
  const { status, answer } = await post({ policy: { breaker: { failure_threshold: 2 } } });
  t.is(status, 200);
  t.like(answer, {
    extension_id: 'a',
    version: 'v1',
    recorded: { attempts: 4, capacity: 100, whole: true, to: at(4) },
  });
  t.is(answer.would_open.count, 1);
  t.like(answer.would_open.trips[0], { at: at(2), reason: 'failure_count', reopened: false });
  t.like(answer.would_open.trips[0]?.evidence, { failures: 2, outcomes: 2, slow: 0, first_failure: at(1) });
  t.deepEqual(answer.opened, {
    count: 1,
    trips: [{ at: at(4), reason: 'failure_count', reopened: false, evidence: null }],
  });
  t.true(answer.limits.some((limit) => limit.includes('refused while the breaker was open are not recorded')));
  const since = await post({ policy: { breaker: { failure_threshold: 2 } }, since: at(3) });
  t.deepEqual([since.answer.would_open.count, since.answer.opened.count], [0, 1]);
});

test('replay: what is refused, and how to go on', async (t) => {
  const refused = async (body: unknown, id = 'a') => {
    const { status, answer } = await post(body, id);
    return `${status} ${answer.detail}`;
  };
  t.regex(await refused({ policy: {} }, 'off'), /^400 nothing is recorded of off: set policy\.record first/);
  t.regex(await refused({ policy: {} }, 'new'), /^400 nothing is recorded of new yet: policy\.record is on/);
  t.is(await refused({ policy: {} }, 'nope'), "404 no extension 'nope'");
  t.is(await refused({ policy: { breaker: { window_seconds: 0 } } }), '400 policy.breaker.window_seconds must be >= 1');
  t.is(await refused({ policy: { breaker: { widow: 1 } } }), "400 policy.breaker has no setting 'widow'");
  t.is(
    await refused({ policy: { breaker: { slow_call_ms: 1000 } } }),
    '400 policy.breaker.slow_call_ms must be below timeout_ms (1000), got 1000',
  );
  t.is(
    await refused({ policy: {}, since: 'soon' }),
    "400 since must be a time such as 2026-01-27T12:00:00Z, got 'soon'",
  );
  // A Date takes the first for 2001, and the last for March: the whole record would be reported.
  for (const since of ['1', 'Tue Dec 1', '2026-01-27T12:00', '2026-02-30T00:00:00Z'])
    t.is(await refused({ policy: {}, since }), `400 since must be a time such as 2026-01-27T12:00:00Z, got '${since}'`);
  t.is(await refused({ policy: {}, since: at(90) }), `400 since must not be in the future, got '${at(90)}'`);
  t.regex(await refused({ policy: [] }), /^400 body\/policy must be object/);
  t.regex(await refused({ policy: { x: 'y'.repeat(262_144) } }), /^413 /);
});

test('policy.record: a change of it begins a record anew, versions have their own, and 0 ends it', async (t) => {
  const { core, replays } = world(t);
  const put = (revision: number, policy: object) =>
    core.feed$.next(
      snapshotOf(
        revision,
        registryEntry(extensionRow('a', { policy, revision }), {
          versions: [versionRow('a', 'v2', { routing_rules: { plan: 'pro' } })],
        }),
      ),
    );
  put(2, { record: 200 });
  t.is((await replays.run('a', {}, null)).kind, 'invalid_request');
  const versions = [...(core.core.supervisor.runtimes.get('a')?.services ?? [])];
  t.deepEqual(
    versions.map(({ target }) => target.record?.capacity),
    [200, 200],
  );
  put(3, {});
  t.deepEqual(
    versions.map(({ target }) => target.record),
    [null, null],
  );
});

test('REPLAYS-1: eight at a time, the next is refused, and they are served again afterwards', async (t) => {
  const { replays } = world(t);
  const results = await Promise.all(Array.from({ length: 9 }, () => replays.run('a', {}, null)));
  t.deepEqual(
    results.map(({ kind }) => kind),
    [...Array<string>(8).fill('replayed'), 'too_many_requests'],
  );
  t.is((await replays.run('a', {}, null)).kind, 'replayed');
});

test('extreg replay: prints both lists and the notes, or the whole answer', async (t) => {
  const cwd = directory(t);
  writeFileSync(join(cwd, 'new.json'), '{"breaker": {"failure_threshold": 2}}');
  writeFileSync(join(cwd, 'list.json'), '[]');
  const replay = (...args: string[]) => run(['replay', 'a', ...args, '--url', url], { cwd });
  const { code, stdout } = await replay('--policy', 'new.json');
  t.is(code, 0);
  t.regex(stdout, /^a@v1: 4 attempts, /);
  t.regex(stdout, /\nwould have opened: once\n {2}\S+ \S+ {2}failure_count, 2 failures of 2 in 60 s\n/);
  t.regex(stdout, /\nopened: once\n {2}\S+ \S+ {2}failure_count\n/);
  t.regex(stdout, /\nnote: Calls that were refused while the breaker was open are not recorded/);
  const asJson = await run(['replay', 'a', '--policy', '-', '--json', '--url', url], {
    cwd,
    input: 'breaker: {failure_threshold: 9}',
  });
  t.is((JSON.parse(asJson.stdout) as ReplayAnswer).would_open.count, 0);
  t.regex((await replay('--policy', 'list.json')).stderr, /--policy: list\.json must hold a policy/);
  t.regex(
    (await replay('--policy', 'new.json', '--since', 'soon')).stderr,
    /--since: expected a time such as .* or a duration such as 2h, got 'soon'/,
  );
  t.regex((await replay()).stderr, /required option '--policy <file>'/);
  t.is((await replay('--policy', 'none.json')).code, 65);
});
