// WATCHDOG-3 of watchdog.ts: a watching thread that ends takes nothing with it.
import test from 'ava';
import { startWatchdog } from '../../src/daemon/watchdog.js';
import { until } from '../helpers/until.js';
import { recordingLogger } from '../nats/wire-rig.js';

test('WATCHDOG-3: a thread that ends by an error is logged once, and is still raised and stopped', async (t) => {
  const { log, lines } = recordingLogger();
  const watchdog = startWatchdog(1, log, new URL('data:text/javascript,throw new RangeError("no memory left")'));
  await until('the line', () => lines.length > 0);
  watchdog.raise();
  await watchdog.stop();
  t.deepEqual(lines, [{ event: 'watchdog_failed', error: 'RangeError: no memory left' }]);
});
