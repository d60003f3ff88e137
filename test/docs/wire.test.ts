// docs/wire.md against the code and a real daemon: its header tables are what passes on the wire, its reply subjects are never
// answered, its subjects are those of the code (docs.test.ts has their table), a client without headers sees what it says.
import { once } from 'node:events';
import { cpSync, readdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import test from 'ava';
import { headers, type Msg, type NatsConnection } from '#@nats-io/nats-core';
import { loadConfig } from '../../src/config/config.js';
import { acceptsReplyTo, Subjects } from '../../src/nats/wire/subjects.js';
import { directory } from '../cli/run.js';
import { DaemonProcess, invoke } from '../helpers/daemon-process.js';
import { startExtension } from '../helpers/nats-server.js';
import { python3 } from '../helpers/programs.js';
import { unless } from '../helpers/skip.js';
import { until } from '../helpers/until.js';
import { readProjectFile } from './page.js';
import { Shell } from './shell.js';

const PAGE = readProjectFile('docs/wire.md');
const CONFIG = loadConfig({ flags: {}, env: {}, cwd: '/nonexistent' });
const started = DaemonProcess.shared(test);

/** Names in the first column of a table of the page; `any other` is none. */
function namesIn(table: string): string[] {
  const [, rows = ''] = new RegExp(`<!-- ${table} -->\n([\\s\\S]*?)<!-- /${table} -->`).exec(PAGE) ?? [];
  return [...rows.matchAll(/^\| `([^`]+)` \|/gm)].map(([, name = '']) => name);
}

const asDocumented = (name: string): string => name.replace(/^(Extreg-Ctx-).*/, '$1<key>');
const namesOf = (message: Msg | undefined): string[] =>
  [...new Set((message?.headers?.keys() ?? []).map(asDocumented))].sort();
const FOREIGN = 'X-Foreign';
const without = (names: readonly string[], ...left: readonly string[]): string[] =>
  names.filter((name) => !left.includes(name)).sort();

const CALLERS: Readonly<Record<string, string>> = {
  'Extreg-Timeout-Ms': '5000',
  'Extreg-Tenant-Id': 'acme',
  'Extreg-Policy-Id': 'p',
  'Extreg-Environment': 'prod',
  'Extreg-Routing-Key': 'k',
  'Extreg-Ctx-<key>': 'eu',
  'Extreg-Hops': '1',
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  tracestate: 'a=b',
};

const EXTENSIONS: Readonly<Record<string, string>> = {
  'Nats-Service-Error-Code': '400',
  'Nats-Service-Error': 'no',
  'Retry-After': '1',
};

function headersOf(pairs: Readonly<Record<string, string>>) {
  const made = headers();
  for (const [name, value] of Object.entries(pairs)) made.set(name.replace('<key>', 'region'), value);
  return made;
}

async function insert(daemon: DaemonProcess, nc: NatsConnection, id: string, more = {}): Promise<void> {
  const sql = daemon.sql();
  await sql`insert into extensions ${sql({ id, type: 'pre', subject: `page.${id}`, timeout_ms: 5000, ...more })}`;
  await until('its row is in force', async () => (await invoke(nc, id)).error !== 'extension_not_found');
}

test('docs/wire.md: its headers to and from an extension are those that pass', async (t) => {
  const daemon = await started();
  const nc = await daemon.connect();
  let isRefusing = false;
  const { received } = await startExtension(nc, 'page.whole.a', (request) => ({
    headers: headersOf({
      ...(isRefusing ? EXTENSIONS : {}),
      [FOREIGN]: 'y',
      'Nats-Foreign': 'y',
      'Extreg-Error': 'forged',
      traceparent: request.headers?.get('traceparent') ?? 'y',
      tracestate: 'y',
    }),
  }));
  await startExtension(nc, 'page.whole', () => ({}));
  await insert(daemon, nc, 'whole', { config: '{"a":1}' });
  const sql = daemon.sql();
  await sql`insert into extension_instances (extension_id, instance_id, subject) values ('whole', 'a', 'page.whole.a')`;
  await until('its instance answers', async () => (await invoke(nc, 'whole')).header('Extreg-Instance-Id') === 'a');

  t.deepEqual(without(namesIn('request-headers')), without(Object.keys(CALLERS)));
  isRefusing = true;
  const bad = { [FOREIGN]: 'x', 'Nats-Foreign': 'x', 'Extreg-Probe': '1', 'extreg-timeout-ms': '1' };
  const given = headersOf({ ...CALLERS, ...bad });
  const reply = await nc.request('extreg.v1.invoke.whole', '{}', { headers: given, timeout: 10_000 });
  t.is(reply.headers?.get('Extreg-Error') ?? '', '', reply.string());
  t.deepEqual(namesOf(received.at(-1)), without([...namesIn('extension-headers'), FOREIGN], 'Extreg-Probe'));
  t.is(received.at(-1)?.headers?.get('Extreg-Hops'), '2');
  const trace = received.at(-1)?.headers?.get('traceparent') ?? '';
  t.regex(trace, /^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$/);
  t.not(trace, CALLERS.traceparent);
  t.deepEqual(without(namesIn('reply-headers')), without(Object.keys(EXTENSIONS)));
  t.deepEqual(namesOf(reply), without([...namesIn('caller-headers'), FOREIGN], 'Extreg-Fallback', 'Extreg-Error'));

  // An active check.
  await sql`update extensions set policy = '{"health_check": {"interval_seconds": 0.1}}' where id = 'whole'`;
  await until('it is checked', () => received.at(-1)?.headers?.has('Extreg-Probe') === true);
  t.true(namesIn('extension-headers').includes('Extreg-Probe'));
  t.true(without(namesOf(received.at(-1)), ...namesIn('extension-headers')).length === 0);
});

test('docs/wire.md: its headers of an error and of a fallback are those that are sent', async (t) => {
  const daemon = await started();
  const nc = await daemon.connect();
  const error = await nc.request('extreg.v1.invoke.no_such_extension', '{}', { timeout: 10_000 });
  t.deepEqual(namesOf(error), ['Extreg-Error', 'Nats-Service-Error', 'Nats-Service-Error-Code']);
  const [, members = ''] = /`\{"error": \{([^}]*)\}\}`/.exec(PAGE) ?? [];
  const documented = [...members.matchAll(/"(\w+)"/g)].map(([, name = '']) => name);
  for (const name of Object.keys((error.json() as { error: object }).error)) t.true(documented.includes(name), name);

  await startExtension(nc, 'page.other', () => ({}));
  await insert(daemon, nc, 'other');
  await insert(daemon, nc, 'first', { policy: '{"fallback": ["other"]}' });
  await until('another one answers', async () => (await invoke(nc, 'first')).header('Extreg-Fallback') === 'other');
  for (const name of ['Extreg-Fallback', 'Extreg-Error']) t.true(namesIn('caller-headers').includes(name));
});

test('docs/wire.md: every header that the code names is in one of its tables', (t) => {
  const documented = new Set(
    ['request-headers', 'extension-headers', 'reply-headers', 'caller-headers'].flatMap(namesIn).map(asDocumented),
  );
  const named = readdirSync('src/nats', { recursive: true, encoding: 'utf8' }).flatMap((file) =>
    file.endsWith('.ts')
      ? [
          ...readProjectFile(`src/nats/${file}`)
            .replace(/^\s*(?:\/\/|\*|\/\*\*).*$/gm, '')
            .matchAll(/\b((?:Extreg|Nats)-[A-Z][A-Za-z]*(?:-[A-Z][A-Za-z]*)*)/g),
        ]
      : [],
  );
  const names = new Set(named.map(([, name = '']) => name));
  t.true(names.size > 12);
  t.deepEqual(
    [...names].filter((name) => !documented.has(name) && name !== 'Extreg-Ctx'),
    [],
  );
});

const python = python3();
const SHELL_STEPS = /Beside a daemon .*\n\n```sh\n([\s\S]*?)```/.exec(PAGE)?.[1]?.trim().split('\n') ?? [];

unless(python === '' ? 'there is no python3 here' : null, test)(
  'docs/wire.md: its Python lines run in the directory of npm start',
  async (t) => {
    const daemon = await started();
    const [insert = '', extension = '', caller = '', end = '', ...more] = SHELL_STEPS;
    t.deepEqual(more, []);
    const examples = directory(t);
    cpSync('examples/python', join(examples, 'python'), { recursive: true });
    const shell = new Shell(t, { url: daemon.url, links: { '.extreg': daemon.dataDir, examples } });
    const program = join(directory(t), 'python3');
    writeFileSync(program, `#!/bin/sh\nexec '${python}' "$@"\n`, { mode: 0o755 });
    await shell.run(`PATH="${dirname(program)}:$PATH"`);
    t.is(await shell.run(insert), 'INSERT 1');
    await shell.run(extension);
    const [, shown = ''] = /```\n(ok v1 [\s\S]*?)\n```/.exec(PAGE) ?? [];
    const nc = await daemon.connect();
    const isListening = () =>
      nc.request('beamline.ext.pre.upper.v1', '{}', { timeout: 10_000 }).then(Boolean, () => false);
    await until('it listens', isListening);
    await until('its row is in force', async () => (await invoke(nc, 'upper')).error !== 'extension_not_found');
    const printed = await shell.run(caller);
    t.true(printed.endsWith(shown), printed);
    await shell.run(end);
    t.regex(await shell.run('wait %1; echo "ended $?"'), /ended 0$/);
  },
);

const [, REPLIES = ''] = /is dropped, and never\nanswered, if its reply subject\n\n([\s\S]*?)\n\n/.exec(PAGE) ?? [];
const EXAMPLES = [...REPLIES.matchAll(/^\| .* \| ``? ?`?([^`]*)`* \|$/gm)].map(([, example = '']) => example);

test('docs/wire.md: a request with one of its reply subjects is never answered', (t) => {
  t.true(EXAMPLES.length >= 6);
  for (const reply of [...EXAMPLES, `_INBOX.${'x'.repeat(510)}`])
    t.false(acceptsReplyTo(reply.trim(), CONFIG.reply_prefixes), reply);
  for (const reply of ['_INBOX.abc', '_INBOX_web.x', '_R_.a'])
    t.true(acceptsReplyTo(reply, CONFIG.reply_prefixes), reply);
  t.true(PAGE.includes('is longer than 512 characters'));
  t.true(acceptsReplyTo(`_INBOX.${'x'.repeat(505)}`, CONFIG.reply_prefixes));
});

test('docs/wire.md: its budgets are those of the configuration', (t) => {
  t.true(PAGE.includes(`(${CONFIG.min_budget_ms} to ${CONFIG.max_budget_ms})`));
  t.true(PAGE.includes(`\`context_body_max_bytes\` (${CONFIG.context_body_max_bytes})`));
});

test('docs/wire.md: the subjects of its nats lines are those of the code', (t) => {
  const subjects = new Subjects(CONFIG.subject_prefix);
  const requests = [...PAGE.matchAll(/^nats request (\S+) /gm)].map(([, subject = '']) => subject);
  t.true(requests.length >= 4);
  for (const subject of requests) t.like(subjects.parseInvoke(subject), { ok: true, extensionId: 'upper' });
  t.true(PAGE.includes(`nats sub '${subjects.event('a', 'b').replace('a.b', '>')}'`));
});

test('docs/wire.md: a client without headers sees the body of an error, and of a reply', async (t) => {
  const daemon = await started();
  const nc = await daemon.connect();
  await startExtension(nc, 'page.plain', () => ({ body: 'fine', headers: headersOf({ [FOREIGN]: 'x' }) }));
  await insert(daemon, nc, 'plain');
  const { nats, token } = daemon.address;
  const socket = connect(Number(new URL(nats).port), '127.0.0.1');
  t.teardown(() => socket.destroy());
  await once(socket, 'connect');
  let got = '';
  socket.setEncoding('latin1').on('data', (text: string) => {
    got += text;
  });
  const request = (id: string) => `PUB extreg.v1.invoke.${id} _INBOX.plain.${id} 2\r\n{}\r\n`;
  socket.write(
    `CONNECT ${JSON.stringify({ verbose: false, headers: false, auth_token: token })}\r\nSUB _INBOX.plain.* 1\r\n`,
  );
  socket.write(request('plain') + request('none_such'));
  await until('both are answered', () => got.includes('fine') && got.includes('extension_not_found'));
  t.regex(got, /^MSG _INBOX\.plain\.plain 1 4\r\nfine\r\n/m);
  t.regex(got, /^MSG _INBOX\.plain\.none_such 1 \d+\r\n\{"error":\{"code":"extension_not_found"/m);
  t.notRegex(got, /HMSG|NATS\/1\.0/);
});
