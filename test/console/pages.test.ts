// What the console shows and does, in a real browser beside a real daemon: one of each for all suites here, which run one after another.
// Without a browser they are skipped, and say why. sessions.test.ts has the others: a file has a budget of processor time.
import test from 'ava';
import { unless } from '../helpers/skip.js';
import { actionsSuite } from './actions.suite.js';
import { extensionSuite } from './extension.suite.js';
import { listSuite } from './list.suite.js';
import { overviewSuite } from './overview.suite.js';
import { NO_BROWSER, Rig } from './rig.js';

const rig = Rig.shared(test);
const page = unless(NO_BROWSER, test.serial);

for (const suite of [overviewSuite, listSuite, extensionSuite, actionsSuite]) suite(page, rig);
