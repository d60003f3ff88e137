// `/ui/fleet`: the replicas as this daemon hears them.
import type { FleetAnswer, ReplicaRow, ScopeReason } from '../../src/domain/fleet/fleet-answer.js';
import { useReading } from '../live/reading.js';
import { Age } from '../live/times.js';
import { Unread } from '../parts/states.js';
import { Table } from '../parts/table.js';
import { count, ms, rate, some, withUnit } from '../words/numbers.js';
import { duration } from '../words/times.js';

export default function FleetPage() {
  const { value, problem, again } = useReading<FleetAnswer>('/admin/fleet', { every: 3000 });
  return (
    <div class="page">
      <h1>The fleet</h1>
      {value === null ? (
        <Unread what="The fleet" problem={problem} again={again} lines={4} />
      ) : (
        <>
          <p>
            {some(value.replicas.filter(({ live }) => live).length, 'live replica')}. {REASON_WORDS[value.reason]}{' '}
            <span class="dim">
              For <Age at={value.since} />.
            </span>
          </p>
          <Table label="Replicas" columns={COLUMNS}>
            {value.replicas.map((one) => (
              <Replica key={one.incarnation} one={one} />
            ))}
          </Table>
        </>
      )}
    </div>
  );
}

const REASON_WORDS: Readonly<Record<ScopeReason, string>> = {
  off: 'This daemon is alone: its setting fleet is off.',
  joining: 'This daemon is alone: others have a moment to answer.',
  not_connected: 'This daemon is alone: it is not connected to NATS.',
  not_permitted: 'This daemon is alone: NATS does not let it speak to others, or hear them.',
  no_peer: 'This daemon is alone: no other one answers.',
  no_records: 'Each replica judges its breakers for itself.',
};

const COLUMNS = [
  'Replica',
  'State',
  'Version',
  'Host',
  ['Up', 'number'],
  ['Revision', 'number'],
  ['Behind', 'number'],
  ['Calls/s', 'number'],
  ['In flight', 'number'],
  ['Loop late by', 'number'],
] as const;

function Replica({ one }: { readonly one: ReplicaRow }) {
  return (
    <tr>
      <th scope="row">
        {one.id}
        {one.self ? <span class="dim"> (this one)</span> : null}
      </th>
      <td>{one.draining ? <strong>leaving</strong> : 'live'}</td>
      <td>{one.version}</td>
      <td>
        {one.host} <span class="dim">{one.http}</span>
      </td>
      <td class="number">{duration(one.up_s * 1000)}</td>
      <td class="number">{count(one.revision)}</td>
      <td class="number">{one.behind === 0 ? '0' : <strong class="bad">{count(one.behind)}</strong>}</td>
      <td class="number">{rate(one.rps)}</td>
      <td class="number">{count(one.in_flight)}</td>
      <td class="number">{withUnit(ms(one.lag_ms), 'ms')}</td>
    </tr>
  );
}
