// Runs `extreg` with nothing of this process's configuration: in this process, which costs 5 ms instead of 150, or as a
// process of its own where that is the subject. With EXTREG_TEST_DEEP=1 every command is a process.
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import { main } from '../../src/cli/main.js';
import type { CommandIo } from '../../src/cli/process/command-io.js';
import { DAEMON_SOCKET_NAME } from '../../src/embedded/postgres/socket-lock.js';

export const EXTREG = fileURLToPath(new URL('../../src/cli/extreg.js', import.meta.url));

export const isDeep = process.env.EXTREG_TEST_DEEP === '1';

export interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly input?: string;
}

export function start(args: readonly string[], { env = {}, cwd }: RunOptions): ChildProcessWithoutNullStreams {
  return spawn(process.execPath, [EXTREG, ...args], { cwd, env: { ...environment(), ...env } });
}

/** What it prints and ends with. `serve` is a process always: it takes over its process. */
export function run(args: readonly string[], options: RunOptions): Promise<Run> {
  const isServing = args[0] === 'serve' && !args.includes('--help');
  return isDeep || isServing ? runProcess(args, options) : runHere(args, options);
}

export async function runProcess(args: readonly string[], options: RunOptions): Promise<Run> {
  const child = start(args, options);
  child.stdin.on('error', () => undefined).end(options.input ?? '');
  const code = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { code: await code, stdout, stderr };
}

async function runHere(args: readonly string[], options: RunOptions): Promise<Run> {
  const [stdout, stderr] = [new Captured(), new Captured()];
  const code = await main(args, commandIo({ ...options, stdout, stderr }));
  return { code, stdout: stdout.text, stderr: stderr.text };
}

/** As a process would have it whose standard streams are pipes. */
export function commandIo({
  cwd,
  env = {},
  input = '',
  ...streams
}: RunOptions & Pick<CommandIo, 'stdout' | 'stderr'>): CommandIo {
  return {
    stdin: Readable.from(input === '' ? [] : [Buffer.from(input)]),
    ...streams,
    env: { ...environment(), ...env },
    cwd,
    nodeVersion: process.version,
    userName: () => userInfo().username,
    ownProcess: null,
  };
}

/** As on a terminal of that size, where `typed` is typed: a line each. In this process. */
export async function runOnTerminal(
  args: readonly string[],
  {
    typed = [],
    columns = 120,
    ...options
  }: RunOptions & { readonly typed?: readonly string[]; readonly columns?: number },
): Promise<Run> {
  const [stdout, stderr] = [new Captured(), new Captured()];
  const stdin = Object.assign(new PassThrough(), { isTTY: true });
  for (const line of typed) stdin.write(`${line}\n`);
  stdin.end();
  const io = { ...commandIo({ ...options, stdout, stderr }), stdin };
  const code = await main(args, { ...io, stdout: Object.assign(stdout, { isTTY: true, columns }) });
  return { code, stdout: stdout.text, stderr: stderr.text };
}

export class Captured extends Writable {
  readonly #chunks: Buffer[] = [];

  get text(): string {
    return Buffer.concat(this.#chunks).toString();
  }

  override _write(chunk: Buffer, _encoding: unknown, written: () => void): void {
    this.#chunks.push(chunk);
    written();
  }
}

function environment(): Record<string, string> {
  const { PATH = '', NATS_SERVER_BIN } = process.env;
  return { PATH, ...(NATS_SERVER_BIN ? { NATS_SERVER_BIN } : {}) };
}

/** An empty working directory, removed with the test. */
export function directory(t: ExecutionContext): string {
  const cwd = mkdtempSync(join(tmpdir(), 'extreg-cli-'));
  t.teardown(() => rmSync(cwd, { recursive: true, force: true }));
  return cwd;
}

/** What a running daemon has in its data directory, its lock too; this process stands for it. */
export function writeDaemonFile(cwd: string, daemon: Readonly<Record<string, unknown>>): void {
  createServer((socket) => socket.destroy())
    .listen(join(cwd, DAEMON_SOCKET_NAME))
    .unref();
  const content = { pid: process.pid, http: 'http://127.0.0.1:1', nats: 'nats://127.0.0.1:1', nats_token: null };
  writeFileSync(join(cwd, 'daemon.json'), JSON.stringify({ ...content, ...daemon }));
}
