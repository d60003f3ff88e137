// `extreg serve` as a process of its own, on a data directory and free ports of its own, and what a test does with it.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext, TestFn } from 'ava';
import { type Msg, type NatsConnection, headers as natsHeaders } from '#@nats-io/nats-core';
import { connect } from '#@nats-io/transport-node';
import type postgres from '#postgres';
import { openDatabase } from '../../src/db/client.js';
import type { ExtensionHealth } from '../../src/domain/health/health-schema.js';
import type { Verb } from '../../src/domain/registry/verbs.js';
import { socketDirectory } from '../../src/embedded/postgres/embedded.js';
import { silentLogger } from '../../src/telemetry/log.js';
import { copyEmbedded } from './embedded-template.js';
import { chooseNatsPort } from './nats-port.js';
import { endOf } from './processes.js';
import { until } from './until.js';

const EXTREG = fileURLToPath(new URL('../../src/cli/extreg.js', import.meta.url));

export interface LogLine {
  readonly event: string;
  readonly [field: string]: unknown;
}

/** What a daemon and its clients end with: a test, or all tests of a file. */
type Owner = Pick<ExecutionContext, 'teardown'> & { readonly log: (text: string) => void };

export class DaemonProcess {
  readonly log: LogLine[] = [];
  readonly exited: Promise<number | null>;
  #errors = '';
  #file: { http: string; nats: string; nats_token: string | null } | null = null;

  private constructor(
    readonly dataDir: string,
    readonly child: ChildProcess,
    private readonly t: Owner,
  ) {
    this.exited = new Promise((resolve) => child.once('exit', (code) => resolve(code)));
    let rest = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      this.log.push(...lines.map((line) => JSON.parse(line) as LogLine));
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#errors += text;
      t.log(text);
    });
  }

  /** Starts it and waits until it answers `/livez`; it is stopped, and its directory removed, with the test. */
  static async start(t: Owner, env: Record<string, string> = {}, dataDir?: string): Promise<DaemonProcess> {
    const directory = dataDir ?? (await copyEmbedded(mkdtempSync(join(tmpdir(), 'extreg-'))));
    rmSync(join(directory, 'daemon.json'), { force: true });
    await chooseNatsPort(directory);
    const child = spawn(process.execPath, ['--liftoff-only', EXTREG, 'serve'], {
      cwd: directory,
      env: {
        ...withoutSettings(process.env),
        EXTENSION_REGISTRY_DATA_DIR: directory,
        EXTENSION_REGISTRY_HTTP_PORT: '0',
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const daemon = new DaemonProcess(directory, child, t);
    t.teardown(async () => {
      child.kill('SIGKILL');
      await daemon.exited;
      if (dataDir === undefined) rmSync(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
    });
    await daemon.#says('daemon_started');
    daemon.#file = JSON.parse(readFileSync(join(directory, 'daemon.json'), 'utf8'));
    return daemon;
  }

  static async startReady(t: Owner, env: Record<string, string> = {}, dataDir?: string): Promise<DaemonProcess> {
    const daemon = await DaemonProcess.start(t, env, dataDir);
    await daemon.ready();
    return daemon;
  }

  /**
   * One daemon for the tests of a file, started when the first asks for it; it ends with the file, and so do its clients. For tests
   * that only add rows, each under extension ids of its own; not for those whose subject is start, stop, settings or death.
   */
  static shared(test: TestFn, env: Record<string, string> = {}): () => Promise<DaemonProcess> {
    let daemon: Promise<DaemonProcess> | null = null;
    const ends: (() => void | PromiseLike<void>)[] = [];
    const file: Owner = { teardown: (end) => void ends.unshift(end), log: (text) => void process.stderr.write(text) };
    test.after.always('the shared daemon ends', async () => {
      for (const end of ends) await end();
    });
    return () => {
      daemon ??= DaemonProcess.startReady(file, env);
      return daemon;
    };
  }

  has(event: string): boolean {
    return this.log.some((line) => line.event === event);
  }

  /** With every line of its log up to then: the log comes by another way than answers do, and may come later. */
  async ready(): Promise<void> {
    await this.#says('daemon_ready');
    await until('the daemon is ready', async () => (await this.fetch('/readyz')).status === 200, 60_000);
  }

  /** An end before that, and how far it had come, is the error. */
  async #says(event: string): Promise<void> {
    const soFar = () => `${this.log.map((line) => line.event).join(', ')} ${this.#errors}`;
    try {
      await until(event, () => this.has(event) || endOf(this.child) !== null, 60_000);
    } catch (error) {
      throw new Error(`${String(error)}; it said: ${soFar()}`);
    }
    if (!this.has(event)) throw new Error(`the daemon ended with ${endOf(this.child)}; it said: ${soFar()}`);
  }

  /** Of the admin API. */
  get url(): string {
    return this.#file?.http ?? '';
  }

  /** Of its NATS server. */
  get address(): { readonly nats: string; readonly token: string } {
    return { nats: this.#file?.nats ?? '', token: this.#file?.nats_token ?? '' };
  }

  fetch(path: string): Promise<Response> {
    return fetch(`${this.url}${path}`);
  }

  /** What a verb is answered; of one that is refused, its error. */
  async tell(id: string, verb: Verb, version?: string): Promise<Readonly<Record<string, unknown>>> {
    const response = await fetch(`${this.url}/admin/extensions/${id}/${verb}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ reason: 'a test', by: 'ada', ...(version === undefined ? {} : { version }) }),
    });
    const answer = (await response.json()) as Record<string, unknown>;
    return response.status === 200 ? answer : (answer.error as Record<string, unknown>);
  }

  async health(id: string): Promise<ExtensionHealth> {
    return (await (await this.fetch(`/admin/extensions/${id}/health`)).json()) as ExtensionHealth;
  }

  async state(id: string): Promise<string | undefined> {
    return (await this.health(id)).health?.circuit_breaker_state;
  }

  /** A NATS client, closed with the test; one of a shared daemon with the file. */
  async connect(): Promise<NatsConnection> {
    const token = this.#file?.nats_token;
    const nc = await connect({
      servers: this.#file?.nats ?? '',
      maxReconnectAttempts: -1,
      reconnectTimeWait: 50,
      ...(token ? { token } : {}),
    });
    this.t.teardown(() => nc.close());
    return nc;
  }

  /** Plain SQL on the embedded database, as `psql` would; closed as a NATS client is. */
  sql(): postgres.Sql {
    const connection = { kind: 'embedded', socketDir: socketDirectory(this.dataDir) } as const;
    const db = openDatabase(connection, { max: 1, prepare: false, applicationName: 'test', log: silentLogger });
    // At once: the daemon at the other end may have been killed.
    this.t.teardown(() => db.$client.end({ timeout: 0 }));
    return db.$client;
  }

  /** Its exit code, once its whole log is here. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const closed = this.child.stdout?.closed === false ? once(this.child.stdout, 'close') : null;
    this.child.kill(signal);
    const code = await this.exited;
    await closed;
    return code;
  }
}

/** Settings of whoever runs the tests must not reach the daemon under test. */
function withoutSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const foreign = /^(EXTENSION_REGISTRY_|DATABASE_URL$|NATS_URL$|NATS_TOKEN$|PG)/;
  return Object.fromEntries(Object.entries(env).filter(([name]) => !foreign.test(name)));
}

export interface Answer {
  readonly body: string;
  /** `Extreg-Error`; '' where the extension answered. */
  readonly error: string;
  readonly details: Readonly<Record<string, unknown>>;
  readonly header: (name: string) => string;
}

export async function invoke(
  nc: NatsConnection,
  id: string,
  body = '{}',
  headers: Record<string, string> = {},
  timeout = 20_000,
): Promise<Answer> {
  const h = natsHeaders();
  for (const [name, value] of Object.entries(headers)) h.set(name, value);
  const message: Msg = await nc.request(`extreg.v1.invoke.${id}`, body, { headers: h, timeout });
  const error = message.headers?.get('Extreg-Error') ?? '';
  const details = error === '' ? {} : ((message.json() as { error: { details?: object } }).error.details ?? {});
  return { body: message.string(), error, details: { ...details }, header: (name) => message.headers?.get(name) ?? '' };
}
