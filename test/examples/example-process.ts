// One of examples/ as a process of its own, and a caller for it.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import type { ExecutionContext } from 'ava';
import type { NatsConnection } from '#@nats-io/nats-core';
import type { TestServer } from '../helpers/nats-server.js';
import { endOf } from '../helpers/processes.js';
import { until } from '../helpers/until.js';

export interface Example {
  readonly child: ChildProcess;
  /** Everything it wrote so far. */
  readonly output: () => string;
  /** Exit code, null after a signal. */
  ended(): Promise<number | null>;
}

/** Resolves when the service answers discovery. */
export async function startExample(
  t: ExecutionContext,
  server: TestServer,
  file: string,
  env: NodeJS.ProcessEnv = {},
): Promise<Example> {
  const child = spawn(process.execPath, [resolve('examples', file)], {
    env: { ...process.env, NATS_URL: server.url, NATS_TOKEN: '', ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const exited = once(child, 'exit');
  t.teardown(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  await until(`${file} answers`, () => {
    if (endOf(child) !== null) throw new Error(`${file} ended with ${endOf(child)}: ${output}`);
    return output.includes('answers on');
  });
  return { child, output: () => output, ended: async () => (await exited)[0] as number | null };
}

export interface Answer {
  /** The body as JSON. */
  readonly body: unknown;
  /** Service error, `''` without one. */
  readonly code: string;
  readonly error: string;
}

export async function call(client: NatsConnection, subject: string, body: unknown): Promise<Answer> {
  const reply = await client.request(subject, typeof body === 'string' ? body : JSON.stringify(body), {
    timeout: 5000,
  });
  return {
    body: reply.json(),
    code: reply.headers?.get('Nats-Service-Error-Code') ?? '',
    error: reply.headers?.get('Nats-Service-Error') ?? '',
  };
}
