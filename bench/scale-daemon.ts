// A daemon as operators run it, `extreg serve` on PostgreSQL, and what the system says of its process.
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { DAEMON_PREFIX } from './client.js';
import type { Turns } from './loop-watch.js';

const LOOP_WATCH = new URL('./loop-watch.js', import.meta.url).href;
const EXTREG = fileURLToPath(new URL('../src/cli/extreg.js', import.meta.url));
const TICKS_PER_SECOND = 100;

export class ScaleDaemon {
  private constructor(
    readonly child: ChildProcess,
    readonly httpUrl: string,
    readonly readySeconds: number,
  ) {}

  /** Resolves when it is ready. */
  static async start(dataDir: string, natsUrl: string, databaseUrl: string): Promise<ScaleDaemon> {
    const startMs = performance.now();
    const child = spawn(process.execPath, ['--import', LOOP_WATCH, EXTREG, 'serve'], {
      cwd: dataDir,
      env: {
        PATH: process.env.PATH,
        HOME: dataDir,
        NATS_URL: natsUrl,
        DATABASE_URL: databaseUrl,
        EXTENSION_REGISTRY_DATA_DIR: dataDir,
        EXTENSION_REGISTRY_HTTP_PORT: '0',
        EXTENSION_REGISTRY_SUBJECT_PREFIX: DAEMON_PREFIX,
        EXTENSION_REGISTRY_FAILURE_RULE: 'consecutive',
      },
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    });
    let text = '';
    let http = '';
    await new Promise<void>((resolve, reject) => {
      child.once('exit', (code) => reject(new Error(`the daemon ended with ${code}: ${text.slice(-2000)}`)));
      child.stdout?.setEncoding('utf8').on('data', (part: string) => {
        if (text.length < 1e6) text += part;
        if (text.includes('"daemon_ready"')) resolve();
      });
    });
    const readySeconds = (performance.now() - startMs) / 1000;
    http = (JSON.parse(readFileSync(`${dataDir}/daemon.json`, 'utf8')) as { http: string }).http;
    return new ScaleDaemon(child, http, readySeconds);
  }

  /** Megabytes that are resident. */
  get residentMb(): number {
    const status = readFileSync(`/proc/${this.child.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1000;
  }

  /** Seconds of processor time so far. */
  get cpuSeconds(): number {
    const stat = readFileSync(`/proc/${this.child.pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  }

  /** The longest turns from now on, until the function that it returns is called. */
  watch(): () => Promise<Turns> {
    this.child.send('watch');
    return () => {
      const answer = new Promise<Turns>((resolve) => this.child.once('message', (turns) => resolve(turns as Turns)));
      this.child.send('watched');
      return answer;
    };
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null) return;
    const exited = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill('SIGTERM');
    await exited;
  }
}
