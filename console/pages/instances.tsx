// The instances of an extension: their share, how they do, what is in flight to each, and draining them.

import type { ExtensionHealth } from '../../src/domain/health/health-schema.js';
import { askDrain, askUndrain } from '../actions/verb-actions.js';
import { nowMs } from '../live/clock.js';
import { may } from '../live/session.js';
import { Table } from '../parts/table.js';
import { count, ms, NONE, percent } from '../words/numbers.js';
import { duration } from '../words/times.js';
import type { ExtensionRow, InstanceRow } from './extension-row.js';

interface InstancesProps {
  readonly id: string;
  readonly health: ExtensionHealth | null;
  readonly row: ExtensionRow;
}

export function Instances({ id, health, row }: InstancesProps) {
  if (row.instances.length === 0) return null;
  const others = (one: InstanceRow): string[] =>
    row.instances
      .filter(
        ({ id: name, weight, enabled, version }) => name !== one.id && weight > 0 && enabled && version === one.version,
      )
      .map(({ id: name }) => name);
  return (
    <section aria-labelledby="instances-title">
      <h2 id="instances-title">Instances</h2>
      <Table
        label="Table of instances"
        columns={[
          'Instance',
          'Version',
          ['Weight', 'number'],
          'Health',
          ['In flight', 'number'],
          ['Success', 'number'],
          ['P95 ms', 'number'],
          'Out of rotation',
          'Subject',
          ['Actions', 'hidden'],
        ]}
      >
        {row.instances.map((one) => (
          <Instance key={one.id} id={id} one={one} health={health} others={others(one)} />
        ))}
      </Table>
    </section>
  );
}

interface InstanceProps {
  readonly id: string;
  readonly one: InstanceRow;
  readonly health: ExtensionHealth | null;
  readonly others: readonly string[];
}

function Instance({ id, one, health, others }: InstanceProps) {
  const measured = health?.instances.find((other) => other.id === one.id);
  const until = measured?.ejected_until ?? null;
  return (
    <tr>
      <th scope="row" class="long">
        {one.id}
      </th>
      <td class="long">{one.version ?? 'all'}</td>
      <td class="number">{one.weight === 0 ? '0, drained' : one.weight}</td>
      <td>{one.enabled ? (one.health_status ?? NONE) : 'disabled'}</td>
      <td class="number measured">{count(one.in_flight)}</td>
      <td class="number measured">{percent(measured?.success_rate)}</td>
      <td class="number measured">{ms(measured?.p95_latency_ms)}</td>
      <td class="measured">
        {until === null ? NONE : <span class="bad">tried again in {duration(Date.parse(until) - nowMs.value)}</span>}
      </td>
      <td class="long">{one.subject}</td>
      <td>
        {!may('operator') ? null : one.weight === 0 ? (
          <button type="button" onClick={() => askUndrain(id, one.id)}>
            Undrain
          </button>
        ) : (
          <button type="button" onClick={() => askDrain(id, one.id, one.in_flight ?? 0, others)}>
            Drain
          </button>
        )}
      </td>
    </tr>
  );
}
