// The statechart of one version of an extension, live: of the extension's own page.
import { useEffect, useMemo } from 'preact/hooks';
import { Fault, Loading } from '../parts/states.js';
import { Chart } from './chart.js';
import { follow } from './live-actor.js';
import { NoConnection } from './no-connection.js';
import { sinceMs } from './timers.js';

interface PanelProps {
  readonly id: string;
  readonly version: string;
}

export default function Panel({ id, version }: PanelProps) {
  const actor = useMemo(() => follow({ id, version }), [id, version]);
  useEffect(() => actor.end, [actor]);
  // Read, so that it is drawn again: the log stays the same object.
  actor.version.value;
  const { log } = actor;
  const connection = actor.connection.value;
  const { machine, now } = log;
  if (log.problem !== null) return <Fault what="The chart cannot be drawn" detail={log.problem} />;
  if (machine === null)
    return connection.kind === 'connecting' ? (
      <Loading lines={6} />
    ) : (
      <NoConnection state={connection} onRetry={actor.retry} />
    );
  const since = sinceMs(now) ?? log.sinceAt(log.last);
  return (
    <div class="chart-panel" data-cut={connection.kind !== 'live'}>
      {connection.kind === 'live' ? null : <NoConnection state={connection} onRetry={actor.retry} />}
      <Chart
        label={`Statechart of ${id}@${version}`}
        machine={machine}
        view={now}
        sinceMs={since}
        taken={log.transitionAt(log.last)?.transition ?? null}
        last={log.at(log.last)?.transition ?? null}
        showsBoot={false}
        showsActions={false}
      />
    </div>
  );
}
