// The events about overload: that calls are refused because more arrive than this daemon can serve, and that this is over.
import type { Notice } from '../actors/events/notices.js';
import type { OverloadEdge } from '../nats/intake/intake-admission.js';

/** Not audited: it is no change of the registry, and may happen many times a day. */
export const overloadNotice = ({ isOver, targetMs, queueDelayMs, refused }: OverloadEdge): Notice => ({
  event: isOver ? 'overload_ended' : 'overload',
  extensionId: '_',
  actor: 'system:admission',
  reason: isOver
    ? `no call was refused for ten seconds; ${refused} were refused before`
    : `calls wait for ${queueDelayMs} ms, longer than ${targetMs} ms (admission_target_ms)`,
  health: { queue_delay_ms: queueDelayMs, refused },
  audited: false,
});
