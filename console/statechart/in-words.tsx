// The chart in words, for who reads rather than sees it.
import { nowMs } from '../live/clock.js';
import { Moment } from '../live/times.js';
import { duration } from '../words/times.js';
import type { Machine } from './definition.js';
import type { View } from './log.js';
import { anywhere, sentencesOf } from './sentences.js';

interface InWordsProps {
  readonly machine: Machine;
  readonly view: View;
  readonly sinceMs: number | null;
}

export function InWords({ machine, view, sinceMs }: InWordsProps) {
  const now = nowMs.value;
  const states = sentencesOf(machine, view, sinceMs, now, duration);
  const leaving = anywhere(machine);
  return (
    <section class="in-words" aria-label="The statechart in words">
      <h2>In words</h2>
      {view.status === 'active' ? null : (
        <p>
          The actor is {view.status}
          {view.error === null ? '' : `: ${view.error}`}.
        </p>
      )}
      <ul>
        {states.map(({ node, name, leaves, stays }, i) => (
          <li key={node.id}>
            <strong>{name}</strong>
            {i === 0 && sinceMs !== null ? (
              <>
                {' since '}
                <Moment at={new Date(sinceMs).toISOString()} /> ({duration(now - sinceMs)})
              </>
            ) : null}
            {leaves.length === 0 ? '' : `; leaves: ${leaves.join('; ')}`}
            {stays.length === 0 ? '' : `; stays: ${stays.join('; ')}`}.
          </li>
        ))}
        {leaving.length === 0 ? null : <li>From any state: {leaving.join('; ')}.</li>}
      </ul>
    </section>
  );
}
