// The extension and the caller of docs/wire.md in each language, as processes beside a real daemon: they say the same, word for word.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { DaemonProcess, invoke } from '../helpers/daemon-process.js';
import { isDeep, ONLY_DEEP } from '../helpers/depth.js';
import { python3 } from '../helpers/programs.js';
import { unless } from '../helpers/skip.js';
import { until } from '../helpers/until.js';

const started = DaemonProcess.shared(test);

type Role = 'extension' | 'caller';

interface Language {
  readonly name: string;
  /** Why it cannot be run here; null where it can. */
  readonly missing: string | null;
  /** False: it takes the server from the environment alone. */
  readonly readsDaemonFile?: boolean;
  /** Program and arguments; made once where it has to be compiled. */
  command(role: Role): readonly [string, ...string[]];
}

const python = python3();
const {
  EXTREG_TEST_GO: go = '',
  EXTREG_TEST_GOPATH: gopath = '',
  EXTREG_TEST_GO_MISSING: goMissing = 'there is no Go here',
} = process.env;

const built = mkdtempSync(join(tmpdir(), 'extreg-wire-'));
test.after.always(() => rmSync(built, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 }));

const LANGUAGES: readonly Language[] = [
  {
    name: 'javascript',
    missing: null,
    command: (role) => [process.execPath, resolve('examples', 'javascript', `${role}.mjs`)],
  },
  {
    name: 'python',
    missing: python === '' ? 'there is no python3 here' : null,
    command: (role) => [python, resolve('examples', 'python', `${role}.py`)],
  },
  {
    name: 'go',
    readsDaemonFile: false,
    missing: !isDeep ? ONLY_DEEP : go === '' ? goMissing : null,
    command: (role) => {
      const program = join(built, role);
      const modules = {
        GO111MODULE: 'off',
        GOPATH: gopath,
        GOFLAGS: '',
        GOCACHE: join(built, 'cache'),
        CGO_ENABLED: '0',
      };
      const env = { ...process.env, ...modules };
      execFileSync(go, ['build', '-o', program, `./examples/go/${role}`], {
        env,
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      return [program];
    },
  },
];

interface Running {
  readonly child: ChildProcess;
  readonly output: () => string;
  ended(): Promise<number | null>;
}

/** It is killed with the test. `env`: where NATS is; without it, what .extreg/daemon.json in the working directory says. */
async function start(
  t: ExecutionContext,
  command: readonly [string, ...string[]],
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<Running> {
  const [program, ...first] = command;
  const { NATS_URL: _, NATS_TOKEN: __, ...others } = process.env;
  const child = spawn(program, [...first, ...args], {
    cwd: built,
    env: { ...others, PYTHONDONTWRITEBYTECODE: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const closed = once(child, 'close');
  t.teardown(async () => {
    child.kill('SIGKILL');
    await closed;
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  return { child, output: () => output, ended: async () => (await closed)[0] as number | null };
}

test.before(async () => symlinkSync((await started()).dataDir, join(built, '.extreg')));

const SAID_BY_CALLERS = [
  'ok v1 in 1 attempt: HELLO for acme, trace 00-0af7651916cd43dd8448eb211c80319c',
  'refused 400: text is missing',
  'error extension_error 502: must not be repeated blindly',
  'error deadline_exceeded 504: must not be repeated blindly',
  'error extension_not_found 404: must not be repeated blindly',
  '',
].join('\n');

for (const { name, missing, command, readsDaemonFile = true } of LANGUAGES)
  unless(missing, test)(`examples/${name}: an extension and a caller`, async (t) => {
    t.timeout(240_000);
    const daemon = await started();
    const given = { NATS_URL: daemon.address.nats, NATS_TOKEN: daemon.address.token };
    const [id, subject] = [`wire_${name}`, `wire.${name}`];
    const sql = daemon.sql();
    await sql`insert into extensions (id, type, subject, timeout_ms, retry) values (${id}, 'pre', ${subject}, 3000, 0)`;
    const extension = await start(t, command('extension'), [subject, name], given);
    await until('it answers', () => extension.output().includes(`answers on ${subject} (queue group ${name})`), 60_000);
    const nc = await daemon.connect();
    await until('its row is in force', async () => (await invoke(nc, id, '{"text":"x"}')).error === '');

    const caller = await start(t, command('caller'), [id], readsDaemonFile ? {} : given);
    t.is(await caller.ended(), 0, caller.output());
    t.is(caller.output(), SAID_BY_CALLERS);

    const answer = await invoke(nc, id, '{"text":"hi"}', { 'Extreg-Timeout-Ms': '2000' });
    t.is(answer.header('Example-Language'), name);
    t.deepEqual(JSON.parse(answer.body), {
      ...JSON.parse(answer.body),
      text: 'HI',
      version: 'v1',
      attempt: 1,
      has_time: true,
    });
    // Active checks.
    await sql`update extensions set policy = '{"health_check": {"interval_seconds": 0.1}}' where id = ${id}`;
    const checks = new RegExp(`^extension_health_checks_total\\{extension_id="${id}",result="success"\\} [1-9]`, 'm');
    await until('a check succeeds', async () => checks.test(await (await daemon.fetch('/metrics')).text()));
    await sql`update extensions set policy = null where id = ${id}`;

    // What is in hand is answered; nothing new is taken.
    let requests = 0;
    const watched = nc.subscribe(subject, {
      // A last check may be on its way.
      callback: (_, { data }) => {
        if (data.length > 0) requests += 1;
      },
    });
    await nc.flush();
    const last = invoke(nc, id, '{"text":"last","delay_ms":600}');
    await until('the extension has it', () => requests > 0);
    watched.unsubscribe();
    extension.child.kill('SIGTERM');
    t.is((JSON.parse((await last).body) as { text: string }).text, 'LAST');
    t.is(await extension.ended(), 0, extension.output());
    t.regex(extension.output(), /\ndrained\n$/);
    t.is((await invoke(nc, id, '{"text":"x"}')).error, 'extension_unavailable');
  });

test('docs/wire.md shows what the callers of examples/ print', (t) => {
  t.true(readFileSync('docs/wire.md', 'utf8').includes(`\n\`\`\`\n${SAID_BY_CALLERS}\`\`\`\n`));
});
