// The attempts of a version that failed last, without what was in them.

import { useReading } from '../live/reading.js';
import { Moment } from '../live/times.js';
import { Fault } from '../parts/states.js';
import { Table } from '../parts/table.js';
import { ms, NONE } from '../words/numbers.js';

interface Failure {
  readonly at: string;
  readonly kind: string;
  readonly code?: number;
  readonly message?: string;
  readonly instance_id: string | null;
  readonly attempt: number | null;
  readonly duration_ms: number;
}

const KINDS: Readonly<Record<string, string>> = {
  timeout: 'timeout',
  error: 'error answer',
  no_responders: 'nothing listens',
};

export function Failures({ id, version }: { readonly id: string; readonly version: string }) {
  const path = `/admin/extensions/${encodeURIComponent(id)}/failures?version=${encodeURIComponent(version)}`;
  const { value, problem, again } = useReading<{ readonly failures: readonly Failure[] }>(path, { every: 5000 });
  return (
    <section aria-labelledby="failures-title">
      <h2 id="failures-title">Recent failures of {version}</h2>
      {problem !== null && value === null ? (
        <Fault what="The failures cannot be read" detail={problem.detail} code={problem.code} onRetry={again} />
      ) : null}
      {value?.failures.length === 0 ? <p class="dim">None since the daemon started.</p> : null}
      {value === null || value.failures.length === 0 ? null : (
        <Table
          label="Failures"
          columns={['When', 'What', ['Code', 'number'], 'Message', 'Instance', 'Attempt', ['ms', 'number']]}
        >
          {value.failures.map((one, i) => (
            <tr key={`${one.at} ${i}`}>
              <td>
                <Moment at={one.at} />
              </td>
              <td>{KINDS[one.kind] ?? one.kind}</td>
              <td class="number">{one.code ?? NONE}</td>
              <td class="wraps">{one.message ?? NONE}</td>
              <td class="long">{one.instance_id ?? NONE}</td>
              <td>{one.attempt === null ? 'active check' : one.attempt}</td>
              <td class="number">{ms(one.duration_ms)}</td>
            </tr>
          ))}
        </Table>
      )}
    </section>
  );
}
