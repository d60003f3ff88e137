// `extreg create`, `set`, `unset` and `delete`: what they send, print and end with; and the rows of `show`.
import { userInfo } from 'node:os';
import test, { type ExecutionContext } from 'ava';
import type { RowAnswer, RowOrder } from '../../../src/actors/ports/api.js';
import { type JsonMap, parseExactJson, stringifyExactJson } from '../../../src/domain/exact-json.js';
import { extensionHealth, healthSource, listen } from '../../http/helpers.js';
import { type Answering, fakeDaemon } from '../fake-daemon.js';
import { directory, run } from '../run.js';

const actor = `admin:${userInfo().username}`;
const ROW =
  '{"id":"a","subject":"x.a","timeout_ms":5,"config":{"n":12345678901234567890},"counts":{"versions":1,"instances":0},"revision":3,"in_force":true,"refused":null}';
const row = (text: string): JsonMap => parseExactJson(text, 100) as JsonMap;

/** A daemon that has ROW, writes what it is asked for, and keeps the orders. */
async function world(t: ExecutionContext, answer?: RowAnswer) {
  const orders: RowOrder[] = [];
  const { url } = await listen(t, {
    rows: {
      read: async () => ({ kind: 'row', row: row(ROW), revision: 3, created: false }),
      list: async (_id, kind) => ({
        kind: 'rows',
        rows:
          kind === 'version'
            ? [
                row(
                  '{"version":"v2","enabled":true,"subject":"x.a2","timeout_ms":7,"rollout_percent":null,"routing_rules":{},"revision":1,"in_force":false,"refused":{"since":"2026-01-02T03:04:05.000Z","problems":["timeout_ms must be >= 1","retry must be <= 100"]}}',
                ),
              ]
            : [],
      }),
      edit: async (order) => {
        orders.push(order);
        if (answer !== undefined) return answer;
        if (order.how === 'delete') return { kind: 'deleted' };
        return {
          kind: 'row',
          row: { ...order.fields, revision: 4, in_force: true, refused: null },
          revision: 4,
          created: false,
        };
      },
    },
  });
  const options = { cwd: directory(t), env: { EXTENSION_REGISTRY_HTTP_PORT: new URL(url).port } };
  return { orders, extreg: (...argv: string[]) => run(argv, options) };
}

test('show --json: the row, with every digit', async (t) => {
  const { extreg } = await world(t);
  t.is(stringifyExactJson(row((await extreg('show', 'a', '--json')).stdout)), ROW);
  const { code, stdout } = await extreg('show', 'a', '--version', 'v2');
  t.is(code, 0);
  t.regex(stdout, /^FIELD +VALUE\n/);
  t.regex(stdout, /\nconfig +\{"n":12345678901234567890\}\n/);
});

test('set: the row that was read, with what is set, in its revision; from and to are printed', async (t) => {
  const { extreg, orders } = await world(t);
  const { code, stdout, stderr } = await extreg('set', 'a', 'timeout_ms=800', 'config.m=0.10', '--reason', 'slow');
  t.deepEqual([code, stderr], [0, '']);
  t.is(stdout, 'FIELD       FROM  TO\ntimeout_ms  5     800\nconfig.m    -     0.10\n\nrevision 4, in force\n');
  const [order] = orders;
  t.like(order, {
    kind: 'extension',
    extensionId: 'a',
    how: 'replace',
    expects: 3,
    revisionInBody: 3,
    reason: 'slow',
    actor,
  });
  t.is(stringifyExactJson(order?.fields.config ?? null), '{"n":12345678901234567890,"m":0.10}');
  t.is((await extreg('unset', 'a', 'config', '--version', 'v2', '--reason', 'x')).code, 0);
  t.like(orders[1], { kind: 'version', name: 'v2' });
  t.false('config' in (orders[1]?.fields ?? {}));
  t.is((await extreg('set', 'a', 'timeout_ms=5', '--reason', 'x')).stdout, 'already set; no change (revision 3)\n');
  t.is(orders.length, 2);
});

test('set enabled=… is a decision of the operator, whatever the daemon disabled', async (t) => {
  const { extreg, orders } = await world(t);
  await extreg('set', 'a', 'enabled=false', '--reason', 'x');
  t.like(orders[0]?.fields, { enabled: false, auto_disabled: false });
});

test('create: a row that must not exist', async (t) => {
  const { extreg, orders } = await world(t);
  t.is((await extreg('create', 'a', 'type=pre', 'subject=x.a', '--reason', 'new')).code, 0);
  t.is((await extreg('create', 'a', 'subject=x.i', '--instance', 'i/1', '--reason', 'new')).code, 0);
  t.like(orders[0], {
    kind: 'extension',
    extensionId: 'a',
    how: 'replace',
    expects: 'nothing',
    fields: { type: 'pre', subject: 'x.a' },
  });
  t.like(orders[1], { kind: 'instance', name: 'i/1', expects: 'nothing' });
});

test('delete: in the revision that was read, and not without --yes where no terminal can be asked', async (t) => {
  const { extreg, orders } = await world(t);
  const asked = await extreg('delete', 'a', '--reason', 'gone');
  t.is(asked.code, 64);
  t.regex(asked.stderr, /--yes: expected/);
  t.is(orders.length, 0);
  const { code, stdout } = await extreg('delete', 'a', '--instance', 'i', '--reason', 'gone', '--yes');
  t.deepEqual([code, stdout], [0, 'deleted instance i of a\n']);
  t.like(orders[0], { kind: 'instance', name: 'i', how: 'delete', expects: 3 });
});

test('what the daemon refuses is said with every problem, and ends with 1', async (t) => {
  const problems = [
    { pointer: '/timeout_ms', message: 'timeout_ms must be >= 1, got 0' },
    { pointer: '/retry', message: 'retry must be integer, got "x"' },
  ];
  const { extreg } = await world(t, { kind: 'row_invalid', message: 'the first, and 1 more', problems });
  const { code, stderr } = await extreg('set', 'a', 'timeout_ms=0', 'retry=x', '--reason', 'x');
  t.is(code, 1);
  t.is(
    stderr,
    'extreg: row_invalid:\n  timeout_ms must be >= 1, got 0\n  retry must be integer, got "x"\nnext: correct the fields and repeat; nothing was written\n',
  );
});

for (const [argv, message] of [
  [['set', 'a', 'timeout_ms=1'], /--reason/],
  [['set', 'a', '--reason', 'x'], /field/],
  [['show', 'a', '--version', 'v', '--instance', 'i'], /expected one of them, got both/],
] as const)
  test(`extreg ${argv.join(' ')} is wrong usage`, async (t) => {
    const { extreg } = await world(t);
    const { code, stderr } = await extreg(...argv);
    t.is(code, 64);
    t.regex(stderr, message);
  });

test('show: a row that is refused says since when, and why', async (t) => {
  const refused = { since: '2026-01-02T03:04:05.000Z', problems: ['subject must have no wildcards, got "ext.*"'] };
  const { url } = await listen(t, {
    health: healthSource(extensionHealth('a')),
    rows: {
      read: async () => ({ kind: 'row', row: { ...row(ROW), in_force: false, refused }, revision: 3, created: false }),
      list: async () => ({ kind: 'rows', rows: [] }),
      edit: async () => ({ kind: 'deleted' }),
    },
  });
  const options = { cwd: directory(t), env: { EXTENSION_REGISTRY_HTTP_PORT: new URL(url).port } };
  const { stdout } = await run(['show', 'a'], options);
  t.regex(
    stdout,
    /\nin_force +false\nrefused +since 2026-01-02T03:04:05\.000Z: subject must have no wildcards, got "ext\.\*"\n/,
  );
  t.like(JSON.parse((await run(['show', 'a', '--json'], options)).stdout), { in_force: false, refused });
});

const REDUCED = { id: 'a', subject: 'x.a', timeout_ms: 5, revision: 3, in_force: true, refused: null };
const withoutEtag: Answering = ({ method }, response) => {
  if (method === 'GET') return void response.end(JSON.stringify(REDUCED));
  return {};
};

for (const [what, answer, why] of [
  ['a row from memory', () => ({ ...REDUCED, from: 'memory' }), 'the daemon has the row in memory only'],
  ['a row without an ETag', withoutEtag, 'the row came without its revision (ETag)'],
] as const)
  test(`ROW-REQUESTS-1: ${what} is neither written nor deleted`, async (t) => {
    for (const argv of [
      ['set', 'a', 'timeout_ms=800'],
      ['set', 'a', 'timeout_ms=5'],
      ['unset', 'a', 'timeout_ms'],
      ['delete', 'a', '--yes'],
    ]) {
      const daemon = await fakeDaemon(t, answer);
      const { code, stdout, stderr } = await daemon.extreg(...argv, '--reason', 'x');
      t.deepEqual([code, stdout], [1, '']);
      t.is(
        stderr,
        `extreg: database_unavailable: ${why}; nothing was written\nnext: extreg status shows what the daemon waits for; repeat it when the database is back\n`,
      );
      t.deepEqual(daemon.routes(), ['GET /admin/extensions/a'], argv.join(' '));
    }
  });
