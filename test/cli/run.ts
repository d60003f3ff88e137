// Runs `extreg` as a process of its own, with nothing of this process's configuration.
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';

export const EXTREG = fileURLToPath(new URL('../../src/cli/extreg.js', import.meta.url));

export interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly input?: string;
}

export function start(args: readonly string[], { env = {}, cwd }: RunOptions): ChildProcessWithoutNullStreams {
  const { PATH = '', NATS_SERVER_BIN } = process.env;
  return spawn(process.execPath, [EXTREG, ...args], {
    cwd,
    env: { PATH, ...(NATS_SERVER_BIN ? { NATS_SERVER_BIN } : {}), ...env },
  });
}

export async function run(args: readonly string[], options: RunOptions): Promise<Run> {
  const child = start(args, options);
  child.stdin.on('error', () => undefined).end(options.input ?? '');
  const code = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { code: await code, stdout, stderr };
}

/** An empty working directory, removed with the test. */
export function directory(t: ExecutionContext): string {
  const cwd = mkdtempSync(join(tmpdir(), 'extreg-cli-'));
  t.teardown(() => rmSync(cwd, { recursive: true, force: true }));
  return cwd;
}

/** What a running daemon leaves in its data directory; this process stands for it. */
export function writeDaemonFile(cwd: string, daemon: Readonly<Record<string, unknown>>): void {
  const content = { pid: process.pid, http: 'http://127.0.0.1:1', nats: 'nats://127.0.0.1:1', nats_token: null };
  writeFileSync(join(cwd, 'daemon.json'), JSON.stringify({ ...content, ...daemon }));
}
