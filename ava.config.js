// How AVA runs the tests; `npm test` (scripts/test.mjs) calls it.
import { availableParallelism } from 'node:os';
import { longestFirst } from './scripts/test-order.mjs';

const PAGES = ['dist/test/console/pages.test.js', 'dist/test/console/sessions.test.js'];
const NO_PAGES = PAGES.map((file) => `!${file}`);
const ALL = 'dist/test/**/*.test.js';
/** `npm test` runs the pages alone, before all others; `npm run test:deep` the nodes once with each other version of Node. */
const PARTS = {
  pages: PAGES,
  others: [ALL, ...NO_PAGES],
  wire: ['dist/test/nats/**/*.test.js'],
  nodes: [ALL, ...NO_PAGES, '!dist/test/scripts/**', '!dist/test/bench/**'],
};

const isDeep = process.env.EXTREG_TEST_DEEP === '1';

export default {
  files: PARTS[process.env.EXTREG_TEST_PART] ?? [ALL],
  // Without the end of any test. In the long form single tests take a minute alone, and several beside others.
  timeout: isDeep ? '15m' : '3m',
  // Tests wait for processes, databases and timers: one lane more than processors. A browser beside another one only costs more.
  concurrency: process.env.EXTREG_TEST_PART === 'pages' ? 1 : availableParallelism() + 1,
  sortTestFiles: longestFirst(),
  workerThreads: false,
  // The embedded database's WebAssembly is not optimised in the background: no test file runs long enough to gain from it.
  nodeArguments: isDeep ? [] : ['--liftoff-only'],
  require: ['./scripts/test-worker.mjs'],
};
