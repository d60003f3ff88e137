// The console in a real browser, beside a real daemon: one of each for all suites beside this file, which run one after another.
// Without a browser they are skipped, and say why.
import test from 'ava';
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
const page = unless(NO_BROWSER, test.serial);

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
