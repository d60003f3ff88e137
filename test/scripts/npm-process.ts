// A script of package.json as a person runs it, with npm and all, and what is left of it afterwards.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { ExecutionContext } from 'ava';
import { type Process, processesWith } from '../helpers/processes.js';
import { until } from '../helpers/until.js';

const STOP_MS = 5000;
/** The checkout may hold an extreg.config.yaml, which the documentation asks its reader to write. */
const NO_CONFIG_FILE = { EXTENSION_REGISTRY_CONFIG: '/dev/null' };

export class NpmProcess {
  /** Everything it wrote so far. */
  output = '';
  readonly #exited: Promise<unknown[]>;

  private constructor(
    readonly npm: ChildProcess,
    private readonly mark: string,
  ) {
    this.#exited = once(npm, 'exit');
    for (const stream of [npm.stdout, npm.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
  }

  /** `mark`: a variable of `env` that nobody else has; what is left over is known by it, and killed with the test. */
  static start(t: ExecutionContext, args: string[], mark: string, env: Record<string, string>): NpmProcess {
    const { NODE_V8_COVERAGE: _, DATABASE_URL: __, NATS_URL: ___, ...ours } = process.env;
    const npm = spawn('npm', args, {
      env: { ...ours, ...NO_CONFIG_FILE, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    const started = new NpmProcess(npm, `${mark}=${env[mark]}`);
    t.teardown(() => {
      for (const { pid } of started.processes()) process.kill(pid, 'SIGKILL');
    });
    return started;
  }

  /** It and all that it started. */
  processes(): Process[] {
    return processesWith(this.mark);
  }

  /** Exit code and signal of npm. */
  ended(): Promise<unknown[]> {
    return this.#exited;
  }

  get hasEnded(): boolean {
    return this.npm.exitCode !== null || this.npm.signalCode !== null;
  }

  /** Rejects where it ends before. */
  async says(text: string | RegExp, withinMs: number): Promise<void> {
    const isSaid = () => (typeof text === 'string' ? this.output.includes(text) : text.test(this.output));
    await until(`it says ${text}`, () => this.hasEnded || isSaid(), withinMs);
    if (!isSaid()) throw new Error(`it ended: ${this.output}`);
  }

  /** As a terminal does: npm and what it runs get it at once. */
  signalGroup(signal: NodeJS.Signals): void {
    process.kill(-(this.npm.pid ?? 0), signal);
  }

  async nothingIsLeft(t: ExecutionContext): Promise<void> {
    await until('nothing is left running', () => this.processes().length === 0, STOP_MS).catch(() => {});
    t.deepEqual(this.processes(), []);
  }
}
