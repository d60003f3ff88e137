// README.md and docs/tour.md as a newcomer follows them: `npm start`, then every command, statement and program in order, beside that.
// `npx extreg` is what was built, port 8420 is the one that was free; nothing else of a command is changed.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { connect, type NatsConnection } from '#@nats-io/transport-node';
import { copyTemplateFile } from '../helpers/embedded-template.js';
import { until } from '../helpers/until.js';
import { NpmProcess } from '../scripts/npm-process.js';
import { type Block, blocksOf, commandsOf, outputIn, shapeOf, statementsOf } from './readme.js';
import { answerShell, canRunHere, npxFunction } from './shell-commands.js';

const UP_MS = 60_000;
const COMMAND_MS = 60_000;
const EXTREG = fileURLToPath(new URL('../../src/cli/extreg.js', import.meta.url));
const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };
const FETCH = `
const url = process.argv.find((word) => word.startsWith('http'));
const response = await fetch(url);
process.stdout.write(await response.text());
process.exit(response.ok ? 0 : 22);
`;

/** A newcomer's directory: what is installed there, the data of `npm start`, and `npx` and `curl`. */
class Newcomer {
  readonly cwd = mkdtempSync(join(tmpdir(), 'extreg-readme-'));
  readonly #requests = join(this.cwd, 'requests');
  readonly #background: ChildProcess[] = [];
  #url = '';

  constructor() {
    const bin = join(this.cwd, 'bin');
    mkdirSync(bin);
    mkdirSync(this.#requests);
    symlinkSync(resolve('node_modules'), join(this.cwd, 'node_modules'));
    executable(
      join(bin, 'npx'),
      `#!/bin/sh\n[ "$1" = extreg ] || exit 64\nshift\nexec '${process.execPath}' '${EXTREG}' "$@"\n`,
    );
    writeFileSync(join(bin, 'fetch.mjs'), FETCH);
    if (!isInstalled('curl'))
      executable(join(bin, 'curl'), `#!/bin/sh\nexec '${process.execPath}' '${join(bin, 'fetch.mjs')}' "$@"\n`);
  }

  get dataDir(): string {
    return join(this.cwd, '.extreg');
  }

  get daemon(): { http: string; nats: string; nats_token: string } {
    return JSON.parse(readFileSync(join(this.dataDir, 'daemon.json'), 'utf8'));
  }

  /** Its commands find the daemon where it listens. */
  meets(): void {
    this.#url = this.daemon.http;
  }

  start(command: string, output: readonly ('pipe' | number)[] = ['pipe', 'pipe']): ChildProcess {
    // `curl -s` ends well on an error's page too.
    const asRun = command.replaceAll('http://127.0.0.1:8420', this.#url).replaceAll(/\bcurl -s\b/g, 'curl -sf');
    return spawn('bash', ['-c', asRun], {
      cwd: this.cwd,
      env: this.#environment(),
      stdio: ['ignore', ...output],
      detached: true,
    });
  }

  /** `npx extreg` runs in this process, but in a program that the command starts. */
  async run(command: string): Promise<{ code: unknown; stdout: string; stderr: string }> {
    const files = ['stdout', 'stderr'].map((name) => join(this.#requests, name));
    for (const file of files) writeFileSync(file, '');
    const outputs = files.map((file) => openSync(file, 'a'));
    const child = this.start(`${canRunHere ? npxFunction(this.#requests) : ''}${command}`, [...outputs, 'pipe']);
    for (const output of outputs) closeSync(output);
    answerShell(child, this.#requests);
    const timer = setTimeout(() => killGroup(child), COMMAND_MS);
    const [code] = await once(child, 'close');
    clearTimeout(timer);
    const [stdout = '', stderr = ''] = files.map((file) => readFileSync(file, 'utf8'));
    return { code, stdout, stderr };
  }

  /** As `&` leaves it to the terminal: it runs on, until the end of all. */
  async runBehind(command: string): Promise<void> {
    this.#background.push(this.start(`exec ${command.replace(/&\s*$/, '')}`));
  }

  get backgroundHasEnded(): boolean {
    return this.#background.some(({ exitCode, signalCode }) => exitCode !== null || signalCode !== null);
  }

  remove(): void {
    for (const child of this.#background) killGroup(child);
    rmSync(this.cwd, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  }

  /** Nothing of whoever runs the tests, but what says where things are. */
  #environment(): NodeJS.ProcessEnv {
    const { PATH = '', HOME = '', NATS_SERVER_BIN } = process.env;
    return {
      PATH: `${join(this.cwd, 'bin')}${delimiter}${PATH}`,
      HOME,
      ...(NATS_SERVER_BIN ? { NATS_SERVER_BIN } : {}),
    };
  }
}

function executable(path: string, content: string): void {
  writeFileSync(path, content);
  chmodSync(path, 0o755);
}

function isInstalled(program: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function killGroup({ pid = 0 }: ChildProcess): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Ended already.
  }
}

const isForNpm = (command: string) => /^npm /.test(command);
const withoutComment = (command: string) => command.replace(/\s+#.*$/, '');

/** `npm start`, `npm test`, `npm run demo`: each has a test of its own; here it only has to be there. */
function isScript(t: ExecutionContext, command: string): void {
  const [, , run, name = run] = /^npm( run)? (\S+)(?: (\S+))?/.exec(command) ?? [];
  t.truthy(scripts[(run === 'run' ? name : run) ?? ''], command);
}

/** Commands that reach hosts that are nobody's: what they would obey is checked, and that they are commands. */
async function onlyChecked(t: ExecutionContext, newcomer: Newcomer, commands: readonly string[]): Promise<void> {
  const exports = commands.filter((command) => command.startsWith('export '));
  for (const command of commands.filter((other) => !exports.includes(other))) {
    const isCheck = command.includes(' check-config');
    const asRun = isCheck ? [...exports, command].join('\n') : `${withoutComment(command)} --help`;
    const { code, stdout, stderr } = await newcomer.run(asRun);
    t.is(code, 0, `${command}: ${stderr}`);
    if (!isCheck) continue;
    for (const setting of exports) {
      const [, name = ''] = /^export (?:EXTENSION_REGISTRY_)?(\w+)=/.exec(setting) ?? [];
      t.regex(stdout, new RegExp(`^${name.toLowerCase()} .*environment`, 'm'), `${setting} is in force`);
    }
  }
}

async function runBlock(t: ExecutionContext, newcomer: Newcomer, nc: NatsConnection, block: Block): Promise<number> {
  if (block.language === 'js') return runProgram(t, newcomer, nc, block.text);
  if (block.language === 'sql') {
    for (const statement of statementsOf(block.text)) await runStatement(t, newcomer, statement);
    return statementsOf(block.text).length;
  }
  const commands = commandsOf(block.text);
  if (commands.some((command) => command.startsWith('export '))) await onlyChecked(t, newcomer, commands);
  else for (const command of commands) await runCommand(t, newcomer, command);
  return commands.length;
}

async function runCommand(t: ExecutionContext, newcomer: Newcomer, command: string): Promise<void> {
  if (isForNpm(command)) return isScript(t, command);
  if (withoutComment(command).endsWith('&')) return newcomer.runBehind(command);
  if (command.includes('--follow')) return follow(t, newcomer, command);
  let ran = await newcomer.run(command);
  // A person is slower than the registry's feed and a process that connects; the commands here may be faster.
  if (command.includes(' invoke '))
    await until(`${command}: ${ran.stderr}`, async () => {
      if (ran.code !== 0) ran = await newcomer.run(command);
      return ran.code === 0;
    });
  t.is(ran.code, 0, `${command}: ${ran.stderr}`);
  // It says something, or writes the file that it names.
  const file = /(\S+\.yaml)/.exec(command)?.[1];
  t.true(ran.stdout !== '' || (file !== undefined && existsSync(join(newcomer.cwd, file))), command);
  t.log(`${command}\n${ran.stdout.slice(0, 300)}`);
}

/** It runs until somebody ends it: it has to say something when something happens. */
async function follow(t: ExecutionContext, newcomer: Newcomer, command: string): Promise<void> {
  const child = newcomer.start(`exec ${command}`);
  t.teardown(() => killGroup(child));
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output += String(chunk)));
  await until(`${command} says something`, () => output !== '' || child.exitCode !== null, COMMAND_MS);
  t.is(child.exitCode, null, output);
}

async function runStatement(t: ExecutionContext, newcomer: Newcomer, statement: string): Promise<void> {
  const quoted = `'${statement.replaceAll("'", "'\\''")}'`;
  const { code, stdout, stderr } = await newcomer.run(`npx extreg sql ${quoted}`);
  t.is(code, 0, `${statement}: ${stderr}`);
  t.regex(stdout, /^(INSERT|UPDATE) [1-9]/, statement);
}

/** A program that names its file is written there; one that does not runs here, with a connection `nc`. */
async function runProgram(
  t: ExecutionContext,
  newcomer: Newcomer,
  nc: NatsConnection,
  program: string,
): Promise<number> {
  const file = /^\/\/ (\S+\.mjs)\n/.exec(program)?.[1];
  if (file !== undefined) {
    writeFileSync(join(newcomer.cwd, file), program);
    return 1;
  }
  const errors: unknown[] = [];
  const AsyncFunction = (async () => {}).constructor as new (
    ...source: string[]
  ) => (...given: unknown[]) => Promise<unknown>;
  await new AsyncFunction('nc', 'console', program)(nc, { error: (error: unknown) => errors.push(error) });
  t.deepEqual(errors, []);
  return 1;
}

test('README and tour: npm start shows what it says, and every command works, in order', async (t) => {
  t.timeout(300_000);
  const newcomer = new Newcomer();
  t.teardown(() => newcomer.remove());
  // A first start without it is that of scripts/start.
  await copyTemplateFile(newcomer.dataDir);
  const start = NpmProcess.start(t, ['start'], 'EXTENSION_REGISTRY_DATA_DIR', {
    EXTENSION_REGISTRY_DATA_DIR: newcomer.dataDir,
    EXTENSION_REGISTRY_HTTP_PORT: '0',
  });
  await start.says('Ctrl-C stops everything', UP_MS);
  newcomer.meets();

  const seen = outputIn('Quick start');
  const installing = 'Installing dependencies (npm ci), about half a minute …\n';
  t.true(seen.includes(installing));
  t.true(readFileSync('scripts/dependencies.mjs', 'utf8').includes(installing.trim()));
  t.regex(start.output.replaceAll(newcomer.dataDir, '.extreg'), shapeOf(seen.replace(installing, '')));

  const { nats, nats_token } = newcomer.daemon;
  const nc = await connect({ servers: nats, token: nats_token });
  t.teardown(() => nc.close());
  let ran = 0;
  const blocks = ['README.md', 'docs/tour.md'].flatMap(blocksOf);
  for (const block of blocks.filter(({ language }) => language !== '')) ran += await runBlock(t, newcomer, nc, block);
  t.true(ran > 40, 'the blocks were looked at');

  t.false(newcomer.backgroundHasEnded, 'what runs in the background runs still');
  const answer = await newcomer.run(`npx extreg invoke shout '{"payload":"still there"}'`);
  t.is(answer.stdout, '{"payload":"STILL THERE","metadata":{}}', answer.stderr);
  start.signalGroup('SIGINT');
  await start.ended();
  await start.nothingIsLeft(t);
});
