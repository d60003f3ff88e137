// The head of an extension's page: what state it is in, since when, why, what callers get, when that changes, and what may be done.
import type { ExtensionHealth } from '../../src/domain/health/health-schema.js';
import { VERB_WORDS, verbsFor } from '../actions/texts.js';
import { askDelete, askVerb, factsOf } from '../actions/verb-actions.js';
import { rowOf } from '../live/board.js';
import { nowMs } from '../live/clock.js';
import { may } from '../live/session.js';
import { Age, Moment } from '../live/times.js';
import { StateMark } from '../parts/state-mark.js';
import { go } from '../url/address.js';
import { count, ms, percent, rate, withUnit } from '../words/numbers.js';
import { forCallers, next, OPENED_BEFORE, probeLimit, reasonOpen, stateOf, trip } from '../words/reasons.js';
import { flagWords, stateAt } from '../words/states.js';
import type { ExtensionRow } from './extension-row.js';

interface HeadProps {
  readonly id: string;
  readonly health: ExtensionHealth | null;
  readonly row: ExtensionRow | null;
}

export function ExtensionHead({ id, health, row }: HeadProps) {
  const entry = rowOf(id)?.entry.value;
  const state = entry === undefined ? (health === null ? null : stateOf(health)) : stateAt(entry.state);
  const why =
    health === null || state === 'closed' ? '' : state === 'open' ? reasonOpen(health.health) : trip(health.health);
  const ahead = health === null || state === null ? '' : next(state, health.health, nowMs.value, probeLimit(health));
  return (
    <section class="head-block" data-state={state ?? 'closed'} aria-labelledby="extension-title">
      <div class="head-line">
        <h1 id="extension-title">{id}</h1>
        {state === null ? null : <StateMark state={state} notes={flagWords(entry?.flags ?? 0)} />}
        {entry?.since == null ? null : (
          <span>
            for <Age at={entry.since * 1000} />
          </span>
        )}
        <span class="dim">
          {row === null ? '' : `${row.type} · default ${health?.version ?? row.version} · ${row.subject}`}
        </span>
        <HeadActions id={id} row={row} />
      </div>
      <p>
        {state === null ? '' : forCallers(state, entry?.success_rate ?? null)}{' '}
        {why === '' ? '' : why === OPENED_BEFORE ? `It ${why}.` : `It opened after ${why}.`}{' '}
        {ahead === '' ? null : <strong class="measured">{ahead}</strong>}
      </p>
      {health?.refused_rows?.map((refused) => (
        <p key={`${refused.version} ${refused.instance_id}`} class="fault">
          A row is refused since <Moment at={refused.since} />: {refused.problems.join('; ')}. What it said before
          holds.
        </p>
      ))}
      {row?.from === 'memory' ? <p class="dim">The database is away: this is what the daemon works by.</p> : null}
      <dl class="summary">
        <Fact name="calls/s" value={rate(entry?.calls)} />
        <Fact name="failed/s" value={rate(entry?.failed)} />
        <Fact name="refused/s" value={rate(entry?.refused)} />
        <Fact name="success" value={percent(entry?.success_rate)} />
        <Fact name="p50" value={withUnit(ms(entry?.p50), 'ms')} />
        <Fact name="p95" value={withUnit(ms(entry?.p95), 'ms')} />
        <Fact name="p99" value={withUnit(ms(entry?.p99), 'ms')} />
        <Fact name="trips in a row" value={count(health?.health.circuit_breaker_trips)} />
      </dl>
    </section>
  );
}

function Fact({ name, value }: { readonly name: string; readonly value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd class="measured">{value}</dd>
    </div>
  );
}

function HeadActions({ id, row }: { readonly id: string; readonly row: ExtensionRow | null }) {
  const entry = rowOf(id)?.entry.value;
  if (entry === undefined || !may('operator')) return null;
  return (
    <span class="head-actions">
      {verbsFor(stateAt(entry.state), factsOf(entry).isAutoDisabled).map((verb) => (
        <button key={verb} type="button" onClick={() => askVerb(verb, id)}>
          {VERB_WORDS[verb]}
        </button>
      ))}
      {may('admin') && row !== null ? (
        <button
          type="button"
          onClick={() => askDelete(id, row.revision, row.counts.versions, row.counts.instances, () => go('/'))}
        >
          Delete
        </button>
      ) : null}
    </span>
  );
}
