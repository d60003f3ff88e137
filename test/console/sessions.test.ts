// Who may use the console, over which connection and with which means, and the inspector: in a real browser beside a real daemon, as in
// pages.test.ts.
import test from 'ava';
import { unless } from '../helpers/skip.js';
import { accessSuite } from './access.suite.js';
import { accessibilitySuite } from './accessibility.suite.js';
import { connectionSuite } from './connection.suite.js';
import { inspectSuite } from './inspect.suite.js';
import { NO_BROWSER, Rig } from './rig.js';

const rig = Rig.shared(test);
const page = unless(NO_BROWSER, test.serial);

// Access is last: from its first test on, the daemon asks for tokens.
for (const suite of [inspectSuite, accessibilitySuite, connectionSuite, accessSuite]) suite(page, rig);
