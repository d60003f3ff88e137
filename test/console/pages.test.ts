// The console in a real browser, beside a real daemon: one of each for all suites beside this file, which run one after another.
// Without a browser they are skipped, and say why.
import test from 'ava';
import { isDeep, ONLY_DEEP } from '../helpers/depth.js';
import { unless } from '../helpers/skip.js';
import { accessSuite } from './access.suite.js';
import { accessibilitySuite } from './accessibility.suite.js';
import { actionsSuite } from './actions.suite.js';
import { connectionSuite } from './connection.suite.js';
import { extensionSuite } from './extension.suite.js';
import { inspectSuite } from './inspect.suite.js';
import { listSuite } from './list.suite.js';
import { overviewSuite } from './overview.suite.js';
import { NO_BROWSER, Rig } from './rig.js';

const rig = Rig.shared(test);
/** A browser is dear: these tests, half of its processor time, are in `npm run test:deep`. */
const DEEP = [
  ...[
    'list: search',
    'LIST-ORDER-1',
    'MARKS-1',
    'extension: colours',
    'extension: versions',
    'extension: its tabs',
    'inspector: hundreds',
    'ACTION-DIALOG-2',
    'actions: a refusal',
  ],
  ...['bridge:', 'CONSOLE-CONNECTION-3', 'CONSOLE-CONNECTION-4', 'states: a part', 'states: while', 'SESSION-2'],
  ...['extension: a trip', 'LIST-2', 'states: what', 'overview: a screen reader', 'list: keys', 'actions: what lets'],
  'access: an address of one use',
];
const page: Parameters<typeof overviewSuite>[0] = (title, implementation) => {
  const isLeft = !isDeep && DEEP.some((start) => title.startsWith(start));
  unless(NO_BROWSER ?? (isLeft ? ONLY_DEEP : null), test.serial)(title, implementation);
};

for (const suite of [
  overviewSuite,
  listSuite,
  extensionSuite,
  actionsSuite,
  inspectSuite,
  accessibilitySuite,
  connectionSuite,
  accessSuite,
])
  suite(page, rig);
