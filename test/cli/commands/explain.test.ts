// `extreg explain`: what it asks, prints and ends with.
import test, { type ExecutionContext } from 'ava';
import type { Explanation } from '../../../src/domain/routing/explanation-schema.js';
import { DaemonProcess } from '../../helpers/daemon-process.js';
import { explanation, refusedAnswer } from '../../helpers/explanations.js';
import { until } from '../../helpers/until.js';
import { listen } from '../../http/helpers.js';
import { directory, run, writeDaemonFile } from '../run.js';

/** A daemon that explains every call like this, and what it was asked. */
async function explaining(t: ExecutionContext, answer: Explanation | null) {
  const asked: [string, Readonly<Record<string, string>>][] = [];
  const { url } = await listen(t, {
    explain: (id, context) => {
      asked.push([id, context]);
      return answer;
    },
  });
  const cwd = directory(t);
  writeDaemonFile(cwd, { http: url });
  return { asked, explain: (...args: string[]) => run(['explain', ...args, '--data-dir', '.'], { cwd }) };
}

test('explain: the options of the context are what is asked about', async (t) => {
  const { asked, explain } = await explaining(t, explanation());
  const named = ['--tenant', 'a.b', '--policy', ' gold ', '--environment', 'größer', '--routing-key', 'a&b=c'];
  const { code, stdout, stderr } = await explain('a', ...named, '--context', 'region=eu=1', '--context', 'x y=1');
  t.is(stderr, '');
  t.is(code, 0);
  t.regex(stdout, /^answer: taken by a@v1, any subscriber of ext.a$/m);
  await explain('a:b-c_1');
  t.deepEqual(asked, [
    [
      'a',
      {
        tenant_id: 'a.b',
        policy_id: 'gold',
        environment: 'größer',
        routing_key: 'a&b=c',
        region: 'eu=1',
        'x y': '1',
      },
    ],
    ['a:b-c_1', {}],
  ]);
});

test('MAIN-1: explain: a call that would be refused ends with 1, and is explained all the same', async (t) => {
  const { explain } = await explaining(t, explanation({ answer: refusedAnswer }));
  const { code, stdout, stderr } = await explain('a');
  t.is(stderr, '');
  t.is(code, 1);
  t.regex(stdout, /^answer: refused, extension_unavailable: a cannot be called: circuit_open; retryable$/m);
});

test('explain: --json prints what the API says, with the same exit codes', async (t) => {
  for (const [answer, code] of [
    [explanation(), 0],
    [explanation({ answer: refusedAnswer }), 1],
  ] as const) {
    const { explain } = await explaining(t, answer);
    const told = await explain('a', '--json');
    t.is(told.code, code);
    t.deepEqual(JSON.parse(told.stdout), answer);
  }
});

test('MAIN-1: explain: an error of the API ends with 1, and none to ask with 69', async (t) => {
  const { explain } = await explaining(t, null);
  t.deepEqual(await explain('a'), {
    code: 1,
    stdout: '',
    stderr: "extreg: extension_not_found: no extension 'a'\nnext: extreg ls lists the extensions\n",
  });
  const bad = await explain('a b');
  t.is(bad.code, 1);
  t.regex(bad.stderr, /^extreg: invalid_request: .*extension id/);
  const nobody = await run(['explain', 'a', '--data-dir', '.'], { cwd: directory(t) });
  t.is(nobody.code, 69);
  t.regex(nobody.stderr, /^extreg: no daemon runs on/);
});

test('explain: of a daemon, it follows the registry', async (t) => {
  const daemon = await DaemonProcess.startReady(t);
  const sql = daemon.sql();
  await sql`insert into extensions (id, type, subject) values ('a', 'pre', 'ext.a')`;
  await sql`insert into extension_versions (id, version, subject, routing_rules)
    values ('a', 'v1', 'ext.a1', '{}'), ('a', 'v2', 'ext.a2', '{"plan": "gold"}')`;
  await sql`insert into extension_instances (extension_id, instance_id, subject, version, weight)
    values ('a', 'i1', 'ext.i1', 'v1', 100), ('a', 'i2', 'ext.i2', 'v1', 0)`;
  await until('it is known', async () => ((await daemon.health('a')).instances?.length ?? 0) === 2);
  const explain = (...args: string[]) => run(['explain', 'a', ...args, '--data-dir', '.'], { cwd: daemon.dataDir });
  const silver = await explain('--context', 'plan=silver', '--tenant', 't1');
  t.is(silver.code, 0);
  t.regex(silver.stdout, /^nothing looks at: tenant_id$/m);
  t.regex(silver.stdout, /^v2 +excluded: plan must be gold, got silver$/m);
  t.regex(silver.stdout, /^i1 .*100 % +picked for this call$/m);
  t.regex(silver.stdout, /^i2 .*drained: its weight is 0$/m);
  t.regex(silver.stdout, /^answer: taken by a@v1, instance i1 on ext.i1$/m);
  await daemon.tell('a', 'isolate');
  const gold = await explain('--context', 'plan=gold');
  t.is(gold.code, 1);
  t.regex(gold.stdout, /^chosen: v2 by rules$/m);
  t.regex(gold.stdout, /^answer: refused, extension_unavailable: a cannot be called: isolated; not retryable$/m);
});
