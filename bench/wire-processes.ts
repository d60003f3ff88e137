// The processes of the wire benchmark: one nats-server, one PostgreSQL, a generator, an extension, and what is between them in each variant.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findNatsServer } from '../src/embedded/nats/embedded-server.js';
import { startServerProcess } from '../src/embedded/nats/server-process.js';
import { startPostgres } from '../test/helpers/postgres-engine.js';
import { BARE_SUBJECT, DAEMON_PREFIX, EVERYTHING_ID, EXTENSION_ID, EXTENSION_SUBJECT, WIRE_PREFIX } from './client.js';
import type { Load, Measured } from './generator.js';
import { Role } from './role.js';

export interface Variant {
  readonly name: string;
  readonly label: string;
  readonly subject: string;
  /** Module of the process in the middle; null: the generator calls the extension itself. */
  readonly middle: string | null;
}

export const BARE: Variant = {
  name: 'bare',
  label: 'a bare forwarder on nats.js',
  subject: BARE_SUBJECT,
  middle: 'bare-forwarder.js',
};
export const EVERYTHING: Variant = {
  name: 'everything',
  label: 'this daemon, three versions with rules, four weighted instances',
  subject: `${DAEMON_PREFIX}.invoke.${EVERYTHING_ID}`,
  middle: 'daemon-middle.js',
};
export const MOLECULER: Variant = {
  name: 'moleculer',
  label: 'a gateway on Moleculer, circuit breaker on',
  subject: '',
  middle: 'peers/moleculer.mjs',
};
export const VARIANTS: readonly Variant[] = [
  { name: 'direct', label: 'nothing', subject: EXTENSION_SUBJECT, middle: null },
  BARE,
  {
    name: 'wire',
    label: 'our wire, no decisions',
    subject: `${WIRE_PREFIX}.invoke.${EXTENSION_ID}`,
    middle: 'wire-middle.js',
  },
  {
    name: 'daemon',
    label: 'this daemon, one extension',
    subject: `${DAEMON_PREFIX}.invoke.${EXTENSION_ID}`,
    middle: 'daemon-middle.js',
  },
  EVERYTHING,
  MOLECULER,
];

export interface Round extends Measured {
  /** Of the process in the middle. */
  readonly cpuMicros: number;
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PEERS = join(ROOT, 'bench', 'peers');

/** Of the peers that only this benchmark needs. */
export function installPeers(): void {
  if (existsSync(join(PEERS, 'node_modules', 'moleculer'))) return;
  console.log('Installing what is compared with (bench/peers) …');
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], { cwd: PEERS, stdio: 'inherit' });
  if (status !== 0)
    throw new Error('npm ci in bench/peers failed: see above; --only without moleculer does without it');
}

export class WireProcesses {
  readonly #roles: Role[] = [];
  readonly #middles = new Map<string, Role>();
  #generator: Role | null = null;
  #caller: Role | null = null;

  private constructor(
    readonly binary: string,
    private readonly directory: string,
    private readonly url: string,
    private readonly stopServers: () => Promise<void>,
  ) {}

  static async start(variants: readonly Variant[]): Promise<WireProcesses> {
    const directory = mkdtempSync(join(tmpdir(), 'extreg-bench-'));
    const binary = findNatsServer('', process.env);
    if (binary === null)
      throw new Error('the benchmark needs a nats-server: set NATS_SERVER_BIN or install nats-server');
    const server = await startServerProcess({ binary, directory, port: -1, config: '' });
    const url = `nats://127.0.0.1:${server.port}`;
    const postgres = await startPostgres();
    await postgres.administer('create database bench template migrated');
    process.env.BENCH_DATABASE_URL = (postgres.connection('bench') as { url: string }).url;
    const processes = new WireProcesses(binary, directory, url, async () => {
      await postgres.remove();
      await server.stop();
    });
    try {
      await processes.#start(variants);
    } catch (error) {
      await processes.stop();
      throw error;
    }
    return processes;
  }

  async #start(variants: readonly Variant[]): Promise<void> {
    await this.#role('extension.js');
    this.#generator = await this.#role('generator.js');
    const peer = join(PEERS, 'moleculer.mjs');
    for (const { middle } of variants) {
      if (middle === null || this.#middles.has(middle)) continue;
      if (middle !== MOLECULER.middle) this.#middles.set(middle, await this.#role(middle));
      else {
        await this.#role(peer, 'extension');
        this.#middles.set(middle, await this.#role(peer, 'gateway'));
        this.#caller = await this.#role(peer, 'caller');
      }
    }
  }

  async #role(module: string, ...more: string[]): Promise<Role> {
    const role = await Role.start(module, this.url, mkdtempSync(join(this.directory, 'role-')), ...more);
    this.#roles.push(role);
    return role;
  }

  /** Throws where an answer was wrong. */
  async run({ name, subject, middle }: Variant, load: WithoutSubject<Load>): Promise<Round> {
    const between = middle === null ? undefined : this.#middles.get(middle);
    const generator = name === MOLECULER.name ? this.#caller : this.#generator;
    if (generator === null) throw new Error(`${name} was not started`);
    const before = await between?.ask<{ cpuMicros: number }>('cpu');
    const measured = await generator.ask<Measured>({ ...load, subject } as Load);
    const after = await between?.ask<{ cpuMicros: number }>('cpu');
    if (measured.wrong > 0) throw new Error(`${name}: ${measured.wrong} of ${measured.requests} answers were wrong`);
    return { ...measured, cpuMicros: (after?.cpuMicros ?? 0) - (before?.cpuMicros ?? 0) };
  }

  async stop(): Promise<void> {
    for (const role of this.#roles) role.stop();
    for (const role of this.#roles) await role.exited;
    await this.stopServers();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

type WithoutSubject<T> = T extends unknown ? Omit<T, 'subject'> : never;
