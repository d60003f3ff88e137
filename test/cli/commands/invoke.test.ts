import test, { type ExecutionContext } from 'ava';
import { type Msg, headers as newHeaders } from '#@nats-io/nats-core';
import { startExtension, TestServer } from '../../helpers/nats-server.js';
import { directory, type Run, run, writeDaemonFile } from '../run.js';

let server: TestServer;
test.before(async () => {
  server = await TestServer.start();
});
test.after.always(() => server?.stop());

/** Something that answers for the daemon under a prefix of the test's own. */
async function answering(
  t: ExecutionContext,
  answer: (request: Msg) => { body?: string | Uint8Array; headers?: Record<string, string> } | null,
): Promise<{ received: Msg[]; invoke: (args: string[], input?: string) => Promise<Run> }> {
  const prefix = `t${t.title.replace(/\W/g, '')}`;
  const client = await server.connect();
  const { received } = await startExtension(client, `${prefix}.invoke.>`, (request) => {
    const answered = answer(request);
    if (answered === null) return null;
    const headers = newHeaders();
    for (const [name, value] of Object.entries(answered.headers ?? {})) headers.set(name, value);
    return { ...(answered.body === undefined ? {} : { body: answered.body }), headers };
  });
  const cwd = directory(t);
  writeDaemonFile(cwd, { nats: server.url });
  return {
    received,
    invoke: (args, input) =>
      run(['invoke', ...args, '--data-dir', '.', '--subject-prefix', prefix], {
        cwd,
        ...(input === undefined ? {} : { input }),
      }),
  };
}

test('invoke: prints the reply byte for byte, and nothing else', async (t) => {
  const { received, invoke } = await answering(t, ({ data }) => ({ body: data, headers: { 'Extreg-Version': 'v2' } }));
  const args = [
    'normalize_text',
    ' {"a":1} ',
    '--tenant',
    'acme',
    '--header',
    'Extreg-Policy-Id=p=1',
    '--header',
    'X-Empty=',
  ];
  t.deepEqual(await invoke(args), { code: 0, stdout: ' {"a":1} ', stderr: '' });
  const [request] = received;
  t.regex(request?.subject ?? '', /\.invoke\.normalize_text\.acme$/);
  t.is(request?.headers?.get('Extreg-Policy-Id'), 'p=1');
  t.is(request?.headers?.get('X-Empty'), '');
  t.is(request?.headers?.get('Extreg-Timeout-Ms'), '');
});

test('invoke: the options of the context travel in their headers, and the key __proto__ like any other', async (t) => {
  const { received, invoke } = await answering(t, () => ({}));
  const context = ['--context', 'region=eu', '--context', '__proto__=a=b'];
  const named = ['--policy', 'strict', '--environment', 'größer', '--routing-key', 'k 1'];
  t.deepEqual(await invoke(['a', '--tenant', 'acme', ...named, ...context]), { code: 0, stdout: '', stderr: '' });
  const [request] = received;
  t.regex(request?.subject ?? '', /\.invoke\.a\.acme$/);
  t.deepEqual(
    [...(request?.headers ?? [])].map(([name, values]) => [name, ...values]),
    [
      ['Extreg-Policy-Id', 'strict'],
      ['Extreg-Environment', 'größer'],
      ['Extreg-Routing-Key', 'k 1'],
      ['Extreg-Ctx-region', 'eu'],
      ['Extreg-Ctx-__proto__', 'a=b'],
    ],
  );
});

test('invoke: - reads the body from standard input', async (t) => {
  const { received, invoke } = await answering(t, ({ data }) => ({ body: data }));
  const { code, stdout } = await invoke(['a', '-'], 'größer\n');
  t.is(code, 0);
  t.is(stdout, 'größer\n');
  t.regex(received[0]?.subject ?? '', /\.invoke\.a$/);
});

test('invoke: without a body an empty one is sent, and the budget goes along', async (t) => {
  const { received, invoke } = await answering(t, () => ({}));
  t.deepEqual(await invoke(['a', '--timeout', '500']), { code: 0, stdout: '', stderr: '' });
  t.is(received[0]?.data.length, 0);
  t.is(received[0]?.headers?.get('Extreg-Timeout-Ms'), '500');
});

test('invoke -v: the headers of the reply go to standard error', async (t) => {
  const { invoke } = await answering(t, () => ({ body: 'ok', headers: { 'Extreg-Version': 'v2', 'X-A': 'b' } }));
  t.deepEqual(await invoke(['a', '-v']), { code: 0, stdout: 'ok', stderr: 'Extreg-Version: v2\nX-A: b\n' });
});

test('invoke --json: status, headers and body, and base64 where the body is no text', async (t) => {
  const { invoke } = await answering(t, ({ data }) => ({
    body: data.length === 0 ? new Uint8Array([0xff, 0xfe]) : data,
    headers: { 'Extreg-Version': 'v2' },
  }));
  const text = await invoke(['a', 'ä', '--json']);
  t.deepEqual(JSON.parse(text.stdout), { ok: true, headers: { 'Extreg-Version': 'v2' }, body: 'ä' });
  const bytes = await invoke(['a', '--json']);
  t.deepEqual(JSON.parse(bytes.stdout), { ok: true, headers: { 'Extreg-Version': 'v2' }, body_base64: '//4=' });
});

const daemonError = () => ({
  body: '{"error":{"code":"extension_unavailable","details":{"reason":"circuit_open"}}}',
  headers: {
    'Extreg-Error': 'extension_unavailable',
    'Nats-Service-Error-Code': '503',
    'Nats-Service-Error': 'its breaker is open',
  },
});

test('invoke: an error of the daemon is told with code, message and reason', async (t) => {
  const { invoke } = await answering(t, daemonError);
  t.deepEqual(await invoke(['a']), {
    code: 1,
    stdout: '',
    stderr:
      'extreg: extension_unavailable: its breaker is open (circuit_open)\nnext: extreg explain a says why, extreg show a what may be done\n',
  });
});

test('invoke -v: of an error of the daemon, whether and when to repeat the call', async (t) => {
  const { headers } = daemonError();
  const body = (error: object) => JSON.stringify({ error: { code: 'extension_unavailable', ...error } });
  const answers = [body({ retryable: true, retry_after_ms: 1200 }), body({ retryable: false }), 'no JSON'];
  const { invoke } = await answering(t, () => ({
    body: answers.shift() ?? '',
    headers: { ...headers, 'Extreg-Version': 'v2' },
  }));
  const told = async () => (await invoke(['a', '-v'])).stderr.split('\n').filter((line) => !line.startsWith('Nats-'));
  const first = ['Extreg-Error: extension_unavailable', 'Extreg-Version: v2'];
  const next = 'next: extreg explain a says why, extreg show a what may be done';
  const last = ['extreg: extension_unavailable: its breaker is open', next, ''];
  t.deepEqual(await told(), [...first, 'retryable: true', 'retry_after_ms: 1200', ...last]);
  t.deepEqual(await told(), [...first, 'retryable: false', ...last]);
  t.deepEqual(await told(), [...first, ...last]);
});

test("invoke -v: what an extension's own error says of repeating it stays in its body", async (t) => {
  const { invoke } = await answering(t, () => ({
    body: '{"error":{"retryable":true}}',
    headers: { 'Nats-Service-Error-Code': '422' },
  }));
  const { stdout, stderr } = await invoke(['a', '-v']);
  t.is(stdout, '{"error":{"retryable":true}}');
  t.false(stderr.includes('retryable'));
});

test('invoke: a row that is not valid is told with the command that says why', async (t) => {
  const { invoke } = await answering(t, () => ({
    body: '{"error":{"code":"extension_unavailable","details":{"reason":"row_invalid"}}}',
    headers: { ...daemonError().headers, 'Nats-Service-Error': 'a cannot be called: row_invalid' },
  }));
  t.deepEqual(await invoke(['a']), {
    code: 1,
    stdout: '',
    stderr:
      "extreg: extension_unavailable: a cannot be called: row_invalid; 'extreg migrate --dry-run' says why\nnext: extreg explain a says why, extreg show a what may be done\n",
  });
});

test('invoke --json: an error is told in the JSON too', async (t) => {
  const { invoke } = await answering(t, daemonError);
  const { code, stdout } = await invoke(['a', '--json']);
  t.is(code, 1);
  const { ok, body } = JSON.parse(stdout) as { ok: boolean; body: string };
  t.false(ok);
  t.is((JSON.parse(body) as { error: { code: string } }).error.code, 'extension_unavailable');
});

test('invoke: an error of the extension keeps its body', async (t) => {
  const { invoke } = await answering(t, () => ({
    body: 'details',
    headers: { 'Nats-Service-Error-Code': '422', 'Nats-Service-Error': 'no such language' },
  }));
  t.deepEqual(await invoke(['a']), {
    code: 1,
    stdout: 'details',
    stderr: 'extreg: the extension answered 422: no such language\n',
  });
});

test('invoke: no answer in time is unreachable', async (t) => {
  const { invoke } = await answering(t, () => null);
  const { code, stderr } = await invoke(['a', '--timeout', '100']);
  t.is(code, 69);
  t.regex(stderr, /^extreg: no answer on \S+\.invoke\.a within 1100 ms\n$/);
});

test('invoke: a server without a daemon is unreachable', async (t) => {
  const { code, stderr } = await run(['invoke', 'a'], { cwd: directory(t), env: { NATS_URL: server.url } });
  t.is(code, 69);
  t.regex(stderr, /^extreg: no responders on extreg\.v1\.invoke\.a: no daemon is connected to 127\.0\.0\.1:\d+\n$/);
});

test('invoke: logs in with the token of daemon.json, and with what the configuration says', async (t) => {
  const closed = await TestServer.start('authorization { token: "geheim" }');
  t.teardown(() => closed.stop());
  const client = await closed.connect({ token: 'geheim' });
  await startExtension(client, 'extreg.v1.invoke.>', () => ({ body: 'ok' }));
  const cwd = directory(t);
  writeDaemonFile(cwd, { nats: closed.url, nats_token: 'geheim' });
  t.is((await run(['invoke', 'a', '--data-dir', '.'], { cwd })).stdout, 'ok');
  const url = closed.url.replace('//', '//geheim@');
  t.is((await run(['invoke', 'a'], { cwd, env: { NATS_URL: url } })).stdout, 'ok');
  const wrong = await run(['invoke', 'a'], {
    cwd,
    env: { NATS_URL: closed.url, EXTENSION_REGISTRY_NATS_TOKEN: 'falsch' },
  });
  t.is(wrong.code, 69);
  t.regex(wrong.stderr, /cannot be reached: .*uthorization/);
});

test('invoke: --inbox-prefix is where the reply is received, and named where the login may not subscribe', async (t) => {
  const closed = await TestServer.start(`authorization { users: [
    { user: other, password: other },
    { user: acme, password: acme, permissions: { publish: "extreg.v1.invoke.*.acme", subscribe: "_INBOX.acme.>" } } ] }`);
  t.teardown(() => closed.stop());
  const { received } = await startExtension(
    await closed.connect({ user: 'other', pass: 'other' }),
    'extreg.v1.invoke.>',
    () => ({ body: 'ok' }),
  );
  const env = { NATS_URL: `nats://acme:acme@127.0.0.1:${closed.port}` };
  const call = (...args: string[]) => run(['invoke', 'a', '--tenant', 'acme', ...args], { cwd: directory(t), env });
  t.like(await call('--inbox-prefix', '_INBOX.acme'), { code: 0, stdout: 'ok' });
  t.true(received[0]?.reply?.startsWith('_INBOX.acme.'));
  const denied = await call();
  t.is(denied.code, 69);
  t.regex(denied.stderr, /Permissions Violation for Subscription to .*; --inbox-prefix names one/);
  for (const prefix of ['_INBOX.>', 'a b', '.a', ''])
    t.like(await call('--inbox-prefix', prefix), { code: 64, stdout: '' }, prefix);
});
