// One process of a benchmark, as its orchestrator has it.
import { type ChildProcess, fork } from 'node:child_process';
import { isAbsolute } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = (file: string): string => (isAbsolute(file) ? file : fileURLToPath(new URL(file, import.meta.url)));

export class Role {
  /** Resolves when the process has ended. */
  readonly exited: Promise<unknown>;
  #isStopping = false;

  private constructor(private readonly child: ChildProcess) {
    this.exited = new Promise((resolve) => child.once('exit', resolve));
  }

  /** `more`: further arguments. */
  static async start(module: string, url: string, dataDir: string, ...more: string[]): Promise<Role> {
    const child = fork(here(module), [url, dataDir, ...more], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    const role = new Role(child);
    if ((await role.next()) !== 'ready') throw new Error(`${module} did not say that it is ready`);
    return role;
  }

  /** Of the process. */
  get pid(): number {
    return this.child.pid ?? 0;
  }

  next(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const exited = (): void => {
        if (!this.#isStopping) reject(new Error('a process of the benchmark ended'));
      };
      this.child.once('exit', exited);
      this.child.once('message', (message) => {
        this.child.off('exit', exited);
        resolve(message);
      });
    });
  }

  /** `question`: what the module takes. */
  async ask<T>(question: string | object): Promise<T> {
    const answer = this.next();
    this.child.send(question);
    return (await answer) as T;
  }

  stop(): void {
    this.#isStopping = true;
    this.child.disconnect();
  }
}
