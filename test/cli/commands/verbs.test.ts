// `extreg enable`, `disable`, `isolate`, `force-closed`, `release`, `reset`: what they send, print and end with.
import { userInfo } from 'node:os';
import test from 'ava';
import type { VerbAnswer, VerbOrder } from '../../../src/actors/ports/api.js';
import { VERBS } from '../../../src/domain/registry/verbs.js';
import { listen } from '../../http/helpers.js';
import { directory, run, writeDaemonFile } from '../run.js';

const IN_FORCE: VerbAnswer = {
  kind: 'in_force',
  revision: 12,
  owed: false,
  enabled: true,
  autoDisabled: false,
  override: null,
  breakerState: 'half_open',
};

const actor = `admin:${userInfo().username}`;

test('verbs: each tells its verb to the daemon of the data directory, in the name of the user', async (t) => {
  const orders: VerbOrder[] = [];
  const executeVerb = async (order: VerbOrder) => {
    orders.push(order);
    return IN_FORCE;
  };
  const { url } = await listen(t, { executeVerb });
  const cwd = directory(t);
  writeDaemonFile(cwd, { http: url });
  for (const verb of VERBS) {
    const { code, stdout, stderr } = await run(
      [verb, 'a', '--reason', 'a bad deploy', ...(verb === 'force-closed' ? ['--yes'] : []), '--data-dir', '.'],
      { cwd },
    );
    t.is(stderr, '');
    t.is(code, 0);
    t.is(
      stdout,
      'ID  VERSION  ENABLED  OVERRIDE  STATE      REVISION\na   all      yes      -         half_open  12\n',
    );
  }
  t.deepEqual(
    orders,
    VERBS.map((verb) => ({ extensionId: 'a', version: null, verb, reason: 'a bad deploy', actor })),
  );
});

test('verbs: --version means one version, and --json prints what the API says', async (t) => {
  const orders: VerbOrder[] = [];
  const executeVerb = async (order: VerbOrder) => {
    orders.push(order);
    return { ...IN_FORCE, override: 'isolated', breakerState: null } as const;
  };
  const { url } = await listen(t, { executeVerb });
  const options = { cwd: directory(t), env: { EXTENSION_REGISTRY_HTTP_PORT: new URL(url).port } };
  const { code, stdout } = await run(['isolate', 'a', '--version', 'v2', '--reason', 'x', '--json'], options);
  t.is(code, 0);
  t.deepEqual(JSON.parse(stdout), {
    extension_id: 'a',
    version: 'v2',
    verb: 'isolate',
    revision: 12,
    owed: false,
    enabled: true,
    auto_disabled: false,
    override: 'isolated',
    circuit_breaker_state: null,
  });
  t.deepEqual(orders, [{ extensionId: 'a', version: 'v2', verb: 'isolate', reason: 'x', actor }]);
  const text = await run(['isolate', 'a', '--version', 'v2', '--reason', 'x'], options);
  t.is(text.stdout, 'ID  VERSION  ENABLED  OVERRIDE  STATE  REVISION\na   v2       yes      isolated  -      12\n');
  t.regex((await run(['--version'], options)).stdout, /^\d+\.\d+\.\d+\n$/);
});

test('verbs: what is pending is said', async (t) => {
  const answer: VerbAnswer = { ...IN_FORCE, revision: null, owed: true, enabled: false, autoDisabled: true };
  const { url } = await listen(t, { executeVerb: async () => answer });
  const args = ['release', 'a', '--reason', 'x', '--http-port', new URL(url).port];
  const { code, stdout } = await run(args, { cwd: directory(t) });
  t.is(code, 0);
  t.regex(stdout, /\na +all +auto-disabled +- +half_open +pending\n\nthe database is away: in force on this daemon/);
});

test('MAIN-1: verbs: an error of the API ends with 1, and none to ask with 69', async (t) => {
  const { url } = await listen(t, {
    executeVerb: async () => ({ kind: 'database_unavailable', message: 'disable needs the database: it is away' }),
  });
  const cwd = directory(t);
  const refused = await run(['disable', 'a', '--reason', 'x', '--http-port', new URL(url).port], { cwd });
  t.is(refused.code, 1);
  t.is(
    refused.stderr,
    'extreg: database_unavailable: disable needs the database: it is away\nnext: extreg status shows what the daemon waits for; repeat it when the database is back\n',
  );
  t.is(refused.stdout, '');
  const unknown = await run(['disable', 'a', '--version', '', '--reason', 'x', '--http-port', new URL(url).port], {
    cwd,
  });
  t.is(unknown.code, 1);
  t.regex(unknown.stderr, /^extreg: invalid_request: body\/version/);
  const nobody = await run(['disable', 'a', '--reason', 'x', '--data-dir', '.'], { cwd });
  t.is(nobody.code, 69);
  t.regex(nobody.stderr, /^extreg: no daemon runs on/);
});

test('MAIN-1: verbs: without a reason or an extension they are used wrongly', async (t) => {
  const cwd = directory(t);
  for (const [args, expected] of [
    [['isolate', 'a'], /--reason: expected why, for the audit trail, got nothing\nnext: /],
    [['disable', 'a', '--reason', ' '], /--reason: expected why/],
    [
      ['force-closed', 'a', '--reason', 'x', '--http-port', '1'],
      /--yes: expected, since no terminal can be asked: This lets every call/,
    ],
    [['reset', '--reason', 'x'], /missing required argument 'id'/],
  ] as const) {
    const { code, stderr } = await run(args, { cwd });
    t.is(code, 64);
    t.regex(stderr, expected);
  }
});

test('verbs: what takes back a decision needs no reason, and sends none', async (t) => {
  const orders: VerbOrder[] = [];
  const { url } = await listen(t, {
    executeVerb: async (order) => {
      orders.push(order);
      return IN_FORCE;
    },
  });
  for (const verb of ['enable', 'release', 'reset'] as const)
    t.is((await run([verb, 'a', '--http-port', new URL(url).port], { cwd: directory(t) })).code, 0, verb);
  t.deepEqual(
    orders.map(({ verb, reason }) => [verb, reason]),
    [
      ['enable', null],
      ['release', null],
      ['reset', null],
    ],
  );
});
