// The replicas of a fleet as an operator sees them.
import type { ReplicaRow } from './fleet-answer.js';
import type { Heartbeat } from './heartbeat.js';
import type { Member } from './members.js';

/** By name. `own`: what this replica says of itself now; `members`: the others, as far as they are remembered. */
export function replicaRows(own: Heartbeat, members: readonly Member[], nowMs: number): ReplicaRow[] {
  const others = members.map(({ said, heardMs }) => rowOf(said, false, (nowMs - heardMs) / 1000));
  const rows = [rowOf(own, true, 0), ...others];
  const furthest = Math.max(...rows.map(({ revision }) => revision ?? 0));
  return rows
    .map((row) => ({ ...row, behind: row.revision === null ? null : furthest - row.revision }))
    .sort((a, b) => (a.id < b.id || (a.id === b.id && a.incarnation < b.incarnation) ? -1 : 1));
}

/** `agoS`: when it was said. */
function rowOf(said: Heartbeat, self: boolean, agoS: number): Omit<ReplicaRow, 'behind'> {
  const { id, inc, version, host, pid, http, up_s, scope, revision, rps, in_flight, lag_ms, targets, draining } = said;
  const shown = { version, host, pid, http, up_s: Math.floor(up_s + agoS), scope };
  return { id, incarnation: inc, self, live: !draining, ...shown, revision, rps, in_flight, lag_ms, targets, draining };
}
