// `npx extreg …` of a shell, run in this process: 10 ms of processor time instead of 150.
//
// `npx` is a function of the shell. It writes down what it was called with, names itself on descriptor 3, and waits at a pipe for
// the exit code. The command uses the standard streams of the function, which may be redirected or piped, by their names in /proc.
// A command that runs until it is ended, such as `inspect --follow`, has to be a process.
import type { ChildProcess } from 'node:child_process';
import {
  closeSync,
  constants,
  createReadStream,
  existsSync,
  openSync,
  type ReadStream,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Readable, Writable } from 'node:stream';
import { main } from '../../src/cli/main.js';
import { isDeep } from '../cli/run.js';

export const canRunHere = !isDeep && existsSync('/proc/self/fd');

/** Defines the function. Requests are files in `directory`, named by the process that makes them. */
export const npxFunction = (directory: string): string => `
npx() {
  [ "$1" = extreg ] || return 64
  local request="${directory}/$BASHPID" name code
  local -a environment=()
  for name in $(compgen -e); do environment+=("$name=\${!name}"); done
  printf '%s\\0' "$PWD" "\${#environment[@]}" "\${environment[@]}" "\${@:2}" > "$request"
  mkfifo "$request.code"
  echo "npx $BASHPID" >&3
  read -r -u 4 code 4< "$request.code"
  return "$code"
}
`;

/** Answers the requests of a shell whose descriptor 3 is a pipe to here, and hands on what else it says there. */
export function answerShell(
  shell: ChildProcess,
  directory: string,
  onLine: (line: string) => void = () => undefined,
): void {
  createInterface(shell.stdio[3] as Readable).on('line', (line) => {
    const [, pid] = /^npx (\d+)$/.exec(line) ?? [];
    if (pid === undefined) onLine(line);
    else void answer(directory, pid);
  });
}

async function answer(directory: string, pid: string): Promise<void> {
  const request = join(directory, pid);
  const [cwd = '', count = '', ...words] = readFileSync(request, 'utf8').split('\0').slice(0, -1);
  const variables = words.splice(0, Number(count)).map((line) => /^(.*?)=(.*)$/s.exec(line)?.slice(1));
  // It waits there from then on, and no longer has the descriptors of its last `echo`.
  const code = await open(`${request}.code`, 'w');
  const [stdout, stderr] = [output(pid, 1), output(pid, 2)];
  let stdin: ReadStream | null = null;
  const exitCode = await main(words, {
    // Opened while the function waits: afterwards it has other descriptors. A command may look at it and not read it.
    get stdin() {
      stdin ??= createReadStream('', { fd: openSync(`/proc/${pid}/fd/0`, 'r') });
      return stdin;
    },
    stdout,
    stderr,
    env: Object.fromEntries(variables.map(([name = '', value] = []) => [name, value])),
    cwd,
    nodeVersion: process.version,
    userName: () => userInfo().username,
    ownProcess: null,
  });
  for (const stream of [stdout, stderr, stdin as ReadStream | null]) stream?.destroy();
  // Before it goes on: its next request has these names.
  for (const file of [request, `${request}.code`]) rmSync(file);
  await code.write(`${exitCode}\n`);
  await code.close();
}

/** Written at once, so that both outputs in one file are in their order. */
function output(pid: string, descriptor: 1 | 2): Writable {
  const file = openSync(`/proc/${pid}/fd/${descriptor}`, constants.O_WRONLY | constants.O_APPEND);
  const stream = new Writable({
    write(chunk: Buffer, _, done) {
      try {
        for (let at = 0; at < chunk.length; ) at += writeSync(file, chunk, at);
        done();
      } catch (error) {
        done(error as Error);
      }
    },
    destroy(error, done) {
      closeSync(file);
      done(error);
    },
  });
  // EXTREG-1: a reader that goes away.
  return stream.on('error', () => undefined);
}
