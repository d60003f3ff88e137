// `extreg rollout`: what it sends, prints and ends with.
import { userInfo } from 'node:os';
import test from 'ava';
import type { RolloutAnswer, RolloutDesk, RolloutOrder, RolloutReport } from '../../../src/actors/ports/api.js';
import { listen } from '../../http/helpers.js';
import { directory, run, writeDaemonFile } from '../run.js';

const actor = `admin:${userInfo().username}`;
const notFound = { kind: 'extension_not_found', message: "no extension 'a'" } as const;
const SET: RolloutAnswer = { kind: 'set', changed: true, was: 5, revision: 12, inForce: true };

const desk = (over: Partial<RolloutDesk>): { rollout: RolloutDesk } => ({
  rollout: { set: async () => notFound, report: async () => notFound, ...over },
});

test('rollout: a percentage is told to the daemon of the data directory, in the name of the user', async (t) => {
  const orders: RolloutOrder[] = [];
  const set: RolloutDesk['set'] = async (order) => {
    orders.push(order);
    return SET;
  };
  const { url } = await listen(t, desk({ set }));
  const cwd = directory(t);
  writeDaemonFile(cwd, { http: url });
  const args = ['--reason', 'looks well', '--data-dir', '.'];
  const { code, stdout, stderr } = await run(['rollout', 'a', 'v2', '33.33', ...args], { cwd });
  t.is(stderr, '');
  t.is(code, 0);
  t.is(stdout, 'ID  VERSION  PERCENT  BEFORE  REVISION  IN FORCE\na   v2       33.33    5       12        yes\n');
  const taken = await run(['rollout', 'a', 'v2', 'none', ...args, '--json'], { cwd });
  t.deepEqual(JSON.parse(taken.stdout), {
    extension_id: 'a',
    version: 'v2',
    percent: null,
    was: 5,
    changed: true,
    revision: 12,
    in_force: true,
  });
  const told = { extensionId: 'a', version: 'v2', reason: 'looks well', actor };
  t.deepEqual(orders, [
    { ...told, percent: 33.33 },
    { ...told, percent: null },
  ]);
});

test('rollout: what was so already, and what is not in force, is said', async (t) => {
  const set: RolloutDesk['set'] = async () => ({ ...SET, changed: false, was: null, inForce: false }) as RolloutAnswer;
  const { url } = await listen(t, desk({ set }));
  const args = ['rollout', 'a', 'v2', 'none', '--reason', 'x', '--http-port', new URL(url).port];
  const { code, stdout } = await run(args, { cwd: directory(t) });
  t.is(code, 0);
  t.regex(stdout, /\na +v2 +none +none +12 +not yet\n\nalready set; no change\n.*not in force on this daemon/);
});

const REPORT: RolloutReport = {
  kind: 'report',
  revision: 9,
  defaultVersion: 'v1',
  versions: [
    { version: 'v1', enabled: true, hasRules: false, percent: null, key: null, share: 94.5 },
    { version: 'v2', enabled: true, hasRules: false, percent: 5.5, key: 'k', share: 5.5 },
    { version: 'v3', enabled: false, hasRules: true, percent: null, key: null, share: null },
  ],
  history: [
    {
      version: 'v2',
      action: 'version_rollout',
      from: null,
      to: 5.5,
      by: 'ada',
      at: '2026-01-01T00:00:00.000Z',
      reason: 'a\u001b[31m',
      revision: 8,
    },
    {
      version: 'v2',
      action: 'version_update',
      from: 1,
      to: null,
      by: null,
      at: '2025-01-01T00:00:00.000Z',
      reason: null,
      revision: 7,
    },
  ],
};

test('rollout: shares and history are tables', async (t) => {
  const limits: number[] = [];
  const report: RolloutDesk['report'] = async (_, limit) => {
    limits.push(limit);
    return REPORT;
  };
  const { url } = await listen(t, desk({ report }));
  const options = { cwd: directory(t), env: { EXTENSION_REGISTRY_HTTP_PORT: new URL(url).port } };
  const { code, stdout, stderr } = await run(['rollout', 'a'], options);
  t.is(stderr, '');
  t.is(code, 0);
  t.is(
    stdout,
    `VERSION  SHARE   PERCENT  DEFAULT  ENABLED  RULES  KEY
v1       94.5 %  none     yes      yes      no     -
v2       5.5 %   5.5      no       yes      no     k
v3       -       none     no       no       yes    -

AT                        VERSION  FROM  TO    BY   REASON
2026-01-01T00:00:00.000Z  v2       none  5.5   ada  a\\u001b[31m
2025-01-01T00:00:00.000Z  v2       1     none  -    -
`,
  );
  const all = await run(['rollout', 'a', '--limit', '200', '--json'], options);
  t.like(JSON.parse(all.stdout), { extension_id: 'a', default_version: 'v1', revision: 9 });
  t.deepEqual(limits, [20, 200]);
});

test('rollout: without changes there is no second table', async (t) => {
  const { url } = await listen(t, desk({ report: async () => ({ ...REPORT, history: [] }) }));
  const { stdout } = await run(['rollout', 'a', '--http-port', new URL(url).port], { cwd: directory(t) });
  t.is(stdout.split('\n').length, 5);
});

test('MAIN-1: rollout: an error of the API ends with 1, and none to ask with 69', async (t) => {
  const message = '60 for v2 would make more than 100: the other versions have 50 (v3 50)';
  const { url } = await listen(t, desk({ set: async () => ({ kind: 'rollout_over_100', message }) }));
  const cwd = directory(t);
  const port = ['--http-port', new URL(url).port];
  const refused = await run(['rollout', 'a', 'v2', '60', '--reason', 'x', ...port], { cwd });
  t.is(refused.code, 1);
  t.is(
    refused.stderr,
    `extreg: rollout_over_100: ${message}\nnext: extreg rollout a shows the shares; lower another version first\n`,
  );
  t.is(refused.stdout, '');
  const unknown = await run(['rollout', 'a', ...port], { cwd });
  t.is(unknown.code, 1);
  t.is(unknown.stderr, "extreg: extension_not_found: no extension 'a'\nnext: extreg ls lists the extensions\n");
  t.is((await run(['rollout', 'a', '--data-dir', '.'], { cwd })).code, 69);
});

const wrong = test.macro<[args: readonly string[], expected: RegExp]>({
  async exec(t, args, expected) {
    const { code, stdout, stderr } = await run(['rollout', ...args, '--http-port', '1'], { cwd: directory(t) });
    t.is(code, 64);
    t.regex(stderr, expected);
    t.is(stdout, '');
  },
  title: (_, args) => `MAIN-1: rollout ${JSON.stringify(args)} is used wrongly`,
});
for (const percent of ['101', '-1', '12.345', 'abc', '5%', '1e1', 'NONE', ''])
  test(
    wrong,
    ['a', 'v2', percent, '--reason', 'x'],
    new RegExp(
      `^extreg: percent: expected 0 to 100 with .*, or none, got '${percent}'\nnext: extreg rollout --help has examples\n$`,
    ),
  );
test(
  wrong,
  ['a', 'v2', '--reason', 'x'],
  /^extreg: percent: expected 0 to 100 or none after version 'v2', got nothing/,
);
test(wrong, ['a', 'v2', '5'], /^extreg: --reason: expected why/);
test(wrong, ['a', '--reason', 'x'], /^extreg: --reason: has a meaning only with/);
test(wrong, ['a', 'v2', '5', '--reason', 'x', '--limit', '5'], /^extreg: --limit: has a meaning only without/);
for (const limit of ['0', '201', 'x', '1.5'])
  test(wrong, ['a', '--limit', limit], /^extreg: --limit: expected 1 to 200, got/);
test(wrong, [], /missing required argument 'id'/);
