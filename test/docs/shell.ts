// One bash for the commands of a page, so that what one sets or starts is there for the next.
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, closeSync, existsSync, openSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { directory, EXTREG } from '../cli/run.js';
import { until } from '../helpers/until.js';
import { answerShell, canRunHere, npxFunction } from './shell-commands.js';

const COMMAND_MS = 60_000;

/** Where the daemon of a page listens. In the shell that is where the daemon of the test does. */
const ADDRESS = 'http://127.0.0.1:8420';

/** `curl -s URL`, or with `-H` and `-d` after it, for a machine that has none. */
const CURL = `
const [, , , url, , header, , body] = process.argv;
const [name, value] = header?.split(': ') ?? [];
const request = header === undefined ? {} : { method: 'POST', headers: { [name]: value }, body };
process.stdout.write(await (await fetch(url, request)).text());
`;

export interface ShellOptions {
  /** Of the daemon. */
  readonly url?: string;
  /** By name, in the shell's directory. */
  readonly files?: ReadonlyMap<string, string>;
  /** What else is in its directory: by name, where it really is. */
  readonly links?: Readonly<Record<string, string>>;
}

export class Shell {
  readonly cwd: string;
  readonly #bash: ChildProcess;
  readonly #output: string;
  readonly #url: string;
  #hasEnded = true;

  /** It ends with the test, and so does what it has started. */
  constructor(t: ExecutionContext, { url = ADDRESS, files = new Map(), links = {} }: ShellOptions) {
    this.#url = url;
    const { PATH, NATS_SERVER_BIN } = process.env;
    const [cwd, own] = [directory(t), directory(t)];
    this.cwd = cwd;
    for (const [name, target] of Object.entries(links)) symlinkSync(target, join(cwd, name));
    for (const [name, content] of files) writeFileSync(join(cwd, name), content);
    executable(join(own, 'npx'), `shift\nexec "${process.execPath}" "${EXTREG}" "$@"`);
    if (!isInstalled('curl')) {
      writeFileSync(join(own, 'curl.mjs'), CURL);
      executable(join(own, 'curl'), `exec "${process.execPath}" "${join(own, 'curl.mjs')}" "$@"`);
    }
    // A file, because the commands of this process open what the shell writes to.
    this.#output = join(own, 'output');
    const output = openSync(this.#output, 'a');
    this.#bash = spawn('bash', {
      cwd,
      env: { PATH: `${own}${delimiter}${PATH}`, ...(NATS_SERVER_BIN ? { NATS_SERVER_BIN } : {}) },
      stdio: ['pipe', output, 'inherit', 'pipe'],
      detached: true,
    });
    closeSync(output);
    answerShell(this.#bash, own, () => {
      this.#hasEnded = true;
    });
    if (canRunHere) this.#bash.stdin?.write(npxFunction(own));
    const ended = new Promise((done) => this.#bash.once('exit', done));
    t.teardown(async () => {
      if (this.#bash.pid !== undefined) process.kill(-this.#bash.pid, 'SIGKILL');
      await ended;
    });
  }

  /** What a command prints, on both outputs, and meanwhile what runs behind. */
  async run(command: string): Promise<string> {
    const before = readFileSync(this.#output).length;
    this.#hasEnded = false;
    const asRun = command.replace(ADDRESS, this.#url);
    this.#bash.stdin?.write(`{ ${asRun}\n} < /dev/null 2>&1; echo end >&3\n`);
    await until(`${command} has ended`, () => this.#hasEnded, COMMAND_MS);
    return readFileSync(this.#output).subarray(before).toString().trimEnd();
  }
}

function executable(path: string, script: string): void {
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
}

const isInstalled = (program: string): boolean =>
  (process.env.PATH ?? '').split(delimiter).some((path) => existsSync(join(path, program)));
