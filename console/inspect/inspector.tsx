// One actor: its chart, its log, and what it was at any moment of that.
//
// INSPECTOR-1. A page that is held, or scrubbed back, stays where it is while the log goes on; the log says how much is newer.
// INSPECTOR-2. Nothing is sent from here: the page reads the same socket as any viewer.
// INSPECTOR-3. The way to a hosted inspector is shown where one is configured, and nowhere else.
import { useSignal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import { nowMs } from '../live/clock.js';
import { Moment } from '../live/times.js';
import { Fault, Loading } from '../parts/states.js';
import { stateText } from '../statechart/active.js';
import { Chart } from '../statechart/chart.js';
import { InWords } from '../statechart/in-words.js';
import { follow, type LiveActor, type Selection, selectionName } from '../statechart/live-actor.js';
import type { ActorLog, View } from '../statechart/log.js';
import { counted, lineBeside, linesOf } from '../statechart/log-lines.js';
import { NoConnection } from '../statechart/no-connection.js';
import { sinceMs } from '../statechart/timers.js';
import { signOfKey, toneOfKey } from '../statechart/tones.js';
import { eventTypeText } from '../statechart/words.js';
import { queryValue, setQuery } from '../url/address.js';
import { usePageKeys } from '../url/keys.js';
import { extensionPath } from '../url/paths.js';
import { duration } from '../words/times.js';
import { EntryDetails } from './entry-details.js';
import { LogView } from './log-view.js';

const hasHostedInspector = (): boolean => document.querySelector('meta[name="extreg-has-inspector"]') !== null;

export function Inspector({ selection }: { readonly selection: Selection }) {
  const name = selectionName(selection);
  const actor = useMemo(() => follow(selection), [name]);
  useEffect(() => actor.end, [actor]);
  return (
    <div class="page inspector">
      <div class="inspector-head">
        <h1>{name}</h1>
        {selection === 'supervisor' ? null : <a href={extensionPath(selection.id)}>Extension</a>}
        <a href="/ui/inspect">All actors</a>
        {/* INSPECTOR-3. */}
        {hasHostedInspector() ? (
          <a href={`/ui/bridge?actor=${encodeURIComponent(name)}`} target="_self">
            In the hosted inspector
          </a>
        ) : null}
      </div>
      <Inspected actor={actor} name={name} />
    </div>
  );
}

function Inspected({ actor, name }: { readonly actor: LiveActor; readonly name: string }) {
  // Read, so that it is drawn again: the log stays the same object.
  actor.version.value;
  const connection = actor.connection.value;
  const { log } = actor;
  if (log.problem !== null)
    return (
      <Fault
        what="The chart cannot be drawn"
        detail={`${log.problem}. It may be of a newer daemon: load the page again.`}
      />
    );
  if (log.machine === null && connection.kind === 'connecting') return <Loading lines={12} />;
  return (
    <>
      <NoConnection state={connection} onRetry={actor.retry} />
      {log.machine === null ? null : <Moments actor={actor} name={name} />}
    </>
  );
}

interface MomentsProps {
  readonly actor: LiveActor;
  readonly name: string;
}

function Moments({ actor, name }: MomentsProps) {
  actor.version.value;
  const { log } = actor;
  const connection = actor.connection.value;
  /** Number of the entry that is looked at; null: the newest, whatever comes. */
  const cursor = useSignal<number | null>(null);
  const filter = { part: queryValue('filter'), transitionsOnly: queryValue('only') === 'transitions' };
  const lines = linesOf(log.entries, filter);
  const at = Math.max(cursor.value ?? log.last, log.first);
  const isLive = cursor.value === null;
  const step = (by: -1 | 1) => {
    const next = lineBeside(lines, at, by);
    if (next !== null) cursor.value = by === 1 && next === lines.at(-1) && at >= next.n ? null : next.n;
  };
  const hold = () => {
    cursor.value = isLive ? log.last : null;
  };
  usePageKeys({
    '[': () => step(-1),
    ']': () => step(1),
    Home: () => {
      cursor.value = lines[0]?.n ?? log.first;
    },
    End: () => {
      cursor.value = null;
    },
    ' ': hold,
  });
  const view = isLive ? log.now : log.viewAt(at);
  const transition = log.transitionAt(at);
  const since = sinceMs(view) ?? log.sinceAt(at);
  return (
    <div class="moments" data-cut={connection.kind !== 'live'} data-held={!isLive}>
      <Now view={view} since={since} cause={transition?.event.type ?? null} />
      <Tools log={log} last={log.last} at={at} isLive={isLive} onHold={hold} onMove={(n) => (cursor.value = n)} />
      <MomentChart log={log} name={name} at={at} view={view} sinceMs={since} />
      <LogView log={log} lines={lines} at={at} isLive={isLive} onChoose={(n) => (cursor.value = n)} />
      <section class="moments-details" aria-label="The moment in detail">
        {log.machine === null ? null : <InWords machine={log.machine} view={view} sinceMs={since} />}
        <EntryDetails entry={log.at(at)} view={view} />
        <CannotShow {...log.left} isSupervisor={name === 'supervisor'} />
      </section>
    </div>
  );
}

interface MomentChartProps {
  readonly log: ActorLog;
  readonly name: string;
  readonly at: number;
  readonly view: View;
  readonly sinceMs: number | null;
}

function MomentChart({ log, name, at, view, sinceMs: since }: MomentChartProps) {
  if (log.machine === null) return null;
  return (
    <section class="moments-chart" aria-label="Statechart">
      <Chart
        label={`Statechart of ${name}`}
        machine={log.machine}
        view={view}
        sinceMs={since}
        taken={log.transitionAt(at)?.transition ?? null}
        last={log.at(at)?.transition ?? null}
        showsBoot={queryValue('boot') === '1'}
        showsActions={queryValue('actions') === '1'}
      />
      <ChartOptions />
    </section>
  );
}

/** The state in one line. */
function Now({
  view,
  since,
  cause,
}: {
  readonly view: View;
  readonly since: number | null;
  readonly cause: string | null;
}) {
  const { value, status, error } = view;
  const [key = ''] = stateText(value).split('.');
  return (
    <p class="moments-now">
      <span class="chart-pill" data-tone={status === 'active' ? toneOfKey(key) : 'open'}>
        <span aria-hidden="true">{signOfKey(key)} </span>
        {stateText(value)}
        {status === 'active' ? '' : `, ${status}`}
      </span>
      {error === null ? null : <span> {error}</span>}
      {since === null ? null : (
        <span>
          {' '}
          since <Moment at={new Date(since).toISOString()} />
          <span class="dim"> ({duration(nowMs.value - since)})</span>
        </span>
      )}
      {cause === null || cause === 'joined' ? null : <span>, by {eventTypeText(cause)}</span>}
    </p>
  );
}

interface ToolsProps {
  readonly log: ActorLog;
  readonly last: number;
  readonly at: number;
  readonly isLive: boolean;
  readonly onHold: () => void;
  readonly onMove: (n: number | null) => void;
}

function Tools({ log, last, at, isLive, onHold, onMove }: ToolsProps) {
  const newer = last - at;
  return (
    <div class="tools moments-tools">
      <button type="button" onClick={onHold} title="Space" aria-pressed={!isLive}>
        {isLive ? 'Hold' : 'Go on'}
      </button>
      <label class="scrub">
        <span class="visually-hidden">Moment of the log</span>
        <input
          type="range"
          min={log.first}
          max={last}
          value={at}
          aria-valuetext={`entry ${at - log.first + 1} of ${log.entries.length}`}
          onInput={({ currentTarget }) => {
            const n = Number(currentTarget.value);
            onMove(n >= last ? null : n);
          }}
        />
      </label>
      <span class="dim">{isLive ? 'live' : `held, ${newer === 0 ? 'nothing newer' : `${newer} newer`}`}</span>
      <label>
        <span class="visually-hidden">Filter the log</span>
        <input
          type="search"
          placeholder="event, state or path"
          value={queryValue('filter')}
          onInput={({ currentTarget }) => setQuery({ filter: currentTarget.value })}
        />
      </label>
      <Switch name="only" on="transitions" label="transitions only" />
    </div>
  );
}

const ChartOptions = () => (
  <div class="tools">
    <Switch name="actions" on="1" label="actions of all transitions" />
    <Switch name="boot" on="1" label="where it begins" />
  </div>
);

/** A choice that is kept in the address. */
function Switch({ name, on, label }: { readonly name: string; readonly on: string; readonly label: string }) {
  return (
    <label>
      <input
        type="checkbox"
        checked={queryValue(name) === on}
        onChange={({ currentTarget }) => setQuery({ [name]: currentTarget.checked ? on : null })}
      />{' '}
      {label}
    </label>
  );
}

function CannotShow({ events, snapshots, isSupervisor }: ActorLog['left'] & { readonly isSupervisor: boolean }) {
  const what = [counted(snapshots, 'snapshot'), counted(events, 'event')].filter((one) => one !== '').join(' and ');
  return (
    <p class="dim">
      {what === ''
        ? 'Nothing was left out since this page is open.'
        : `${what} left out since this page is open: too many at once.`}{' '}
      {isSupervisor
        ? 'Not shown: the extensions one by one. They are counted.'
        : 'Not shown: calls that are refused, which are no events of the actor, and each single success: they are sampled, at most 20 a second, with how many each stands for.'}
    </p>
  );
}
