// The actors that can be inspected, with their states: the supervisor, and a page of the targets.
//
// TARGET-LIST-1. The list is read, not watched: inspecting hundreds would cost a subscription each. States of default versions come from the board.
import { allRows, rowOf } from '../live/board.js';
import { useReading } from '../live/reading.js';
import { Age } from '../live/times.js';
import { StateMark } from '../parts/state-mark.js';
import { Empty, Fault, Loading } from '../parts/states.js';
import { queryValue, setQuery } from '../url/address.js';
import { extensionPath, inspectPath } from '../url/paths.js';
import { BOARD_STATES, type BoardState, flagWords, stateAt, wordOf } from '../words/states.js';

interface Target {
  readonly extension_id: string;
  readonly version: string;
  readonly state: BoardState;
}

interface Targets {
  readonly targets: readonly Target[];
  readonly next: string | null;
}

const PAGE = 200;
const READ_EVERY_MS = 5000;

export function TargetList() {
  const part = queryValue('q');
  const state = queryValue('state');
  const limit = Math.min(Math.max(Number(queryValue('limit')) || PAGE, 1), 1000);
  const path = `/inspect/targets?limit=${limit}${part === '' ? '' : `&q=${encodeURIComponent(part)}`}`;
  const { value, problem, again } = useReading<Targets>(path, { every: READ_EVERY_MS });
  const shown = value?.targets.filter((target) => state === '' || stateOf(target).state === state) ?? [];
  return (
    <div class="page">
      <h1>Inspect</h1>
      <p>
        Every breaker is a statechart that runs as an actor. Choose one to see it move.{' '}
        <a href="/ui/inspect/supervisor">The supervisor</a> is one, too: it starts and stops the others.
      </p>
      <form class="tools" onSubmit={(event) => event.preventDefault()}>
        <label>
          Search{' '}
          <input
            type="search"
            value={part}
            onInput={({ currentTarget }) => setQuery({ q: currentTarget.value, limit: null })}
          />
        </label>
        <label>
          State{' '}
          <select value={state} onChange={({ currentTarget }) => setQuery({ state: currentTarget.value })}>
            <option value="">all</option>
            {BOARD_STATES.map((one) => (
              <option key={one} value={one}>
                {wordOf(one)}
              </option>
            ))}
          </select>
        </label>
        {value === null ? null : <span class="dim">{countText(shown.length, value)}</span>}
      </form>
      {problem === null ? null : (
        <Fault what="The actors could not be read" detail={problem.detail} code={problem.code} onRetry={again} />
      )}
      {value === null ? (
        problem === null && <Loading lines={8} />
      ) : shown.length === 0 ? (
        <NothingFound part={part} state={state} />
      ) : (
        <TargetTable targets={shown} />
      )}
      {value?.next ? (
        <p>
          {limit >= 1000 ? (
            'There are more. Search for a part of the id.'
          ) : (
            <button type="button" onClick={() => setQuery({ limit: String(Math.min(limit + 2 * PAGE, 1000)) })}>
              Show more
            </button>
          )}
        </p>
      ) : null}
    </div>
  );
}

const countText = (count: number, { next }: Targets): string =>
  `${count}${next === null ? '' : ' of more'} actor${count === 1 ? '' : 's'}`;

function NothingFound({ part, state }: { readonly part: string; readonly state: string }) {
  if (part === '' && state === '')
    return (
      <Empty>
        No extension runs, so there is no breaker to inspect. {allRows().length === 0 ? 'The registry is empty.' : ''}
      </Empty>
    );
  return (
    <Empty>
      No actor matches.{' '}
      <button type="button" onClick={() => setQuery({ q: null, state: null, limit: null })}>
        Clear the filter
      </button>
    </Empty>
  );
}

function TargetTable({ targets }: { readonly targets: readonly Target[] }) {
  return (
    <div class="scrolled">
      <table class="targets">
        <thead>
          <tr>
            <th scope="col">Actor</th>
            <th scope="col">State</th>
            <th scope="col">Since</th>
            <th scope="col">Extension</th>
          </tr>
        </thead>
        <tbody>
          {targets.map((target) => (
            <TargetRow key={`${target.extension_id}@${target.version}`} target={target} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** TARGET-LIST-1. The breaker's own state, or what the board says of a default version, with overrides. */
function stateOf({ extension_id: id, version, state }: Target) {
  const entry = rowOf(id)?.entry.value;
  if (entry?.version !== version) return { state, notes: [], since: null };
  return { state: stateAt(entry.state), notes: flagWords(entry.flags), since: entry.since };
}

function TargetRow({ target }: { readonly target: Target }) {
  const { extension_id: id, version } = target;
  const { state, notes, since } = stateOf(target);
  return (
    <tr>
      <td>
        <a href={inspectPath(id, version)}>
          {id}@{version}
        </a>
      </td>
      <td>
        <StateMark state={state} notes={notes} />
      </td>
      <td class="measured">
        <Age at={since === null ? null : since * 1000} />
      </td>
      <td>
        <a class="plain" href={extensionPath(id)}>
          {id}
        </a>
      </td>
    </tr>
  );
}
