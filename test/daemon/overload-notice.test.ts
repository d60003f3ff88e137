// The events about overload: what they say, and how loudly.
import test from 'ava';
import { Notices } from '../../src/actors/events/notices.js';
import { overloadNotice } from '../../src/daemon/overload-notice.js';
import type { RegistryEvent } from '../../src/domain/registry/events.js';
import { recordingLogger } from '../nats/wire-rig.js';

const EDGE = { isOver: false, targetMs: 50, queueDelayMs: 251, refused: 1 };

test('overload: an event of no single extension, that says how long calls wait, and one of its end, that says how many were refused', (t) => {
  const { log, lines } = recordingLogger();
  const events: RegistryEvent[] = [];
  const audit = () => t.fail('it is no change of the registry');
  const notices = new Notices({ log, wall: () => 0, publish: (event) => events.push(event), audit });
  notices.publish(overloadNotice(EDGE));
  notices.publish(overloadNotice({ ...EDGE, isOver: true, queueDelayMs: 0, refused: 1234 }));
  const common = { extension_id: '_', actor: 'system:admission', at: '1970-01-01T00:00:00.000Z' };
  t.deepEqual(events, [
    {
      ...{ ...common, event: 'overload', reason: 'calls wait for 251 ms, longer than 50 ms (admission_target_ms)' },
      health: { queue_delay_ms: 251, refused: 1 },
    },
    {
      ...{ ...common, event: 'overload_ended' },
      reason: 'no call was refused for ten seconds; 1234 were refused before',
      health: { queue_delay_ms: 0, refused: 1234 },
    },
  ]);
  t.deepEqual(
    lines.map(({ event }) => event),
    ['overload', 'overload_ended'],
  );
});
