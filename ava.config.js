// How AVA runs the tests; `npm test` (scripts/test.mjs) calls it.
import { availableParallelism } from 'node:os';
import { longestFirst } from './scripts/test-order.mjs';

export default {
  files: ['dist/test/**/*.test.js'],
  timeout: '3m',
  // Tests wait for processes, databases and timers: one lane more than processors.
  concurrency: availableParallelism() + 1,
  sortTestFiles: longestFirst(),
  workerThreads: false,
  // The embedded database's WebAssembly is not optimised in the background: no test file runs long enough to gain from it.
  nodeArguments: process.env.EXTREG_TEST_DEEP === '1' ? [] : ['--liftoff-only'],
  require: ['./scripts/test-worker.mjs'],
};
