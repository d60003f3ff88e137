// One moment: the event, what it changed, and the whole context then.
import { nowMs } from '../live/clock.js';
import type { Json } from '../statechart/definition.js';
import type { Entry, View } from '../statechart/log.js';
import { eventTypeText } from '../statechart/words.js';
import { absolute, moment } from '../words/times.js';
import { contextPaths, pathsOf } from './paths-of.js';

interface EntryDetailsProps {
  readonly entry: Entry | undefined;
  readonly view: View;
}

export function EntryDetails({ entry, view }: EntryDetailsProps) {
  const changed = new Set(entry?.changes.map(({ path }) => path));
  const isJoined = entry?.kind === 'joined';
  return (
    <>
      {entry === undefined || isJoined ? null : <Changed entry={entry} />}
      <h2>Context</h2>
      <dl class="entry-context">
        {contextPaths(view.context).map(({ path, value }) => (
          <div key={path} data-changed={!isJoined && changed.has(path)}>
            <dt>{path}</dt>
            <dd>
              <Value value={value} />
            </dd>
          </div>
        ))}
      </dl>
    </>
  );
}

function Changed({ entry }: { readonly entry: Entry }) {
  const { type, ...payload } = entry.event;
  const given = pathsOf(payload);
  return (
    <>
      <h2>{entry.kind === 'dropped' ? 'Left out' : eventTypeText(type)}</h2>
      {given.length === 0 ? null : (
        <p class="payload">
          {given.slice(0, 12).map(({ path, value }) => (
            <span key={path}>
              <span class="dim">{path}</span> <Value value={value} />{' '}
            </span>
          ))}
        </p>
      )}
      {entry.changes.length === 0 ? (
        <p class="dim">{entry.kind === 'event' ? 'It changed nothing that is shown.' : ''}</p>
      ) : (
        <ul class="entry-changes">
          {entry.changes.map(({ path, from, to }) => (
            <li key={path}>
              <span>{path}</span> <Value value={from} /> → <Value value={to} />
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

/** Epoch milliseconds of this century. */
const isTime = (value: number): boolean => value > 946_684_800_000 && value < 4_102_444_800_000;

function Value({ value }: { readonly value: Json | undefined }) {
  if (value === null || value === undefined) return <span>–</span>;
  if (typeof value === 'number' && isTime(value)) {
    const date = new Date(value);
    return (
      <time dateTime={date.toISOString()} title={absolute(date)}>
        {moment(date, new Date(nowMs.peek()))}.{String(value % 1000).padStart(3, '0')}
      </time>
    );
  }
  if (Array.isArray(value)) {
    if (value.length === 0) return <span>none</span>;
    return (
      <span>
        {value.map((one, i) => (
          <span key={i}>
            {i === 0 ? '' : ', '}
            <Value value={one} />
          </span>
        ))}
      </span>
    );
  }
  return <span>{typeof value === 'object' ? JSON.stringify(value) : String(value)}</span>;
}
