// The environment of a command that has this process to itself.
import { setFlagsFromString } from 'node:v8';
import { userName } from '../../daemon/user-name.js';
import type { CommandIo } from './command-io.js';
import { endProcess, stopOnSignals, whenEnding } from './signals.js';

export const processIo = (): CommandIo => ({
  // Opened when it is used: most commands read nothing.
  get stdin() {
    return process.stdin;
  },
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  cwd: process.cwd(),
  nodeVersion: process.version,
  userName,
  ownProcess: {
    stdoutFd: 1,
    stopOnSignals,
    endProcess,
    whenEnding,
    dropWasmOptimizer: () => {
      setFlagsFromString('--liftoff-only');
      // Set while the process runs, that alone lets Node 24 optimise the hottest functions; this leaves one, which PGlite imports.
      setFlagsFromString('--wasm-tier-up-filter=0');
    },
  },
});
