// The first block: what needs a look, by what it costs callers, each in one line. At three in the morning it answers what is refused, since
// when, why, whether it heals automatically and when, and what may be done.

import { useComputed, useSignal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import { BOARD_FLAGS, type BoardEntry } from '../../src/domain/board-codes.js';
import type { ExtensionHealth } from '../../src/domain/health/health-schema.js';
import type { AuditItem, AuditPageAnswer } from '../../src/domain/registry/audit-answer.js';
import { VERB_WORDS, verbsFor } from '../actions/texts.js';
import { askRollout, askVerb, factsOf } from '../actions/verb-actions.js';
import { read } from '../live/api.js';
import { membership, paints, rowCount, wrongEntries } from '../live/board.js';
import { nowMs } from '../live/clock.js';
import { freshness } from '../live/connection.js';
import { useReading } from '../live/reading.js';
import { may } from '../live/session.js';
import { Age } from '../live/times.js';
import { Menu } from '../parts/menu.js';
import { StateMark } from '../parts/state-mark.js';
import { extensionPath } from '../url/paths.js';
import { rate, some } from '../words/numbers.js';
import { next, reasonOpen, trip } from '../words/reasons.js';
import { stateAt, wordOf } from '../words/states.js';
import { changeLine, isBySystem, shortened, whoText } from '../words/why.js';

const MAX_LINES = 10;
/** Of a reason, so that one line does not push the others out of view. */
const MAX_REASON = 200;
/** The list of what is wrong does not jump at each paint. */
const EVERY_MS = 2000;
/** A change so long before a trip may be its cause. */
const SUSPECT_MS = 30 * 60_000;

export function Impact() {
  const wrong = useWrong();
  if (wrong.length === 0) return <AllWell />;
  const refused = wrong.reduce((sum, one) => sum + one.refused, 0);
  const more = wrong.length - MAX_LINES;
  return (
    <section class="impact" aria-labelledby="impact-title">
      <div class="impact-head">
        <h1 id="impact-title">
          {some(wrong.length, 'extension')} {wrong.length === 1 ? 'needs' : 'need'} a look
        </h1>
        {refused > 0 ? <p class="measured bad">refusing {rate(refused)} calls/s</p> : null}
      </div>
      <ul class="impact-lines">
        {wrong.slice(0, MAX_LINES).map((entry) => (
          <Line key={entry.id} entry={entry} />
        ))}
      </ul>
      {more > 0 ? (
        <p>
          <a href="/?flag=wrong">and {more} more</a>
        </p>
      ) : null}
    </section>
  );
}

/** At most every two seconds another list; the numbers in a line are as new as the line. */
function useWrong(): readonly BoardEntry[] {
  const first = useMemo(wrongEntries, []);
  const wrong = useSignal(first);
  const turn = useComputed(() => `${membership.value} ${Math.floor(nowMs.value / EVERY_MS)} ${freshness.value}`);
  useEffect(() => {
    wrong.value = wrongEntries();
  }, [turn.value, paints.peek() === 0]);
  return wrong.value;
}

/** One quiet line. */
function AllWell() {
  const { value } = useReading<AuditPageAnswer>('/admin/audit?action=circuit_opened&limit=1');
  const last = value?.items[0];
  return (
    <section class="impact quiet-block" aria-labelledby="impact-title">
      <h1 id="impact-title">
        {rowCount() === 1 ? 'The extension is healthy.' : `All ${some(rowCount(), 'extension')} are healthy.`}
      </h1>
      {last === undefined ? null : (
        <p>
          The last trip was <a href={extensionPath(last.extension_id)}>{last.extension_id}</a>,{' '}
          <Age at={last.changed_at} /> ago.
        </p>
      )}
    </section>
  );
}

function Line({ entry }: { readonly entry: BoardEntry }) {
  const { id } = entry;
  const state = stateAt(entry.state);
  const path = `/admin/extensions/${encodeURIComponent(id)}/health`;
  const { value: health } = useReading<ExtensionHealth>(path, { key: `${entry.state} ${entry.since}`, every: 5000 });
  const suspect = useSuspect(entry);
  const isAuto = factsOf(entry).isAutoDisabled;
  return (
    <li class="impact-line" data-state={state}>
      <span class="impact-what">
        <StateMark state={state} /> <a href={extensionPath(id)}>{id}</a>
      </span>
      <span class="impact-since">{entry.since === null ? '' : <Age at={entry.since * 1000} />}</span>
      <span class="impact-why">
        <Why entry={entry} health={health} suspect={suspect} isAuto={isAuto} />
      </span>
      <span class="impact-cost measured number">
        {entry.refused > 0
          ? `${rate(entry.refused)} refused/s`
          : entry.failed > 0
            ? `${rate(entry.failed)} failed/s`
            : ''}
      </span>
      <span class="impact-next measured">{health === null ? '' : next(state, health.health, nowMs.value)}</span>
      <span class="impact-actions">
        {may('operator') ? <Actions entry={entry} suspect={suspect} isAuto={isAuto} /> : null}
      </span>
    </li>
  );
}

interface WhyProps {
  readonly entry: BoardEntry;
  readonly health: ExtensionHealth | null;
  readonly suspect: AuditItem | null;
  readonly isAuto: boolean;
}

function Why({ entry, health, suspect, isAuto }: WhyProps) {
  const state = stateAt(entry.state);
  const isDecided = state === 'isolated' || state === 'forced_closed' || state === 'disabled';
  const isKnown = health !== null && !isDecided;
  const why = !isKnown ? '' : state === 'open' ? reasonOpen(health.health) : trip(health.health);
  const refusedRow = health?.refused_rows?.[0];
  const notes = [
    isAuto ? 'auto-disabled' : '',
    (entry.flags & BOARD_FLAGS.ejected_instance) === 0 ? '' : 'an instance is out of rotation',
    refusedRow === undefined ? '' : `a row is refused: ${refusedRow.problems[0]}`,
    suspect === null ? '' : `after ${changeLine(suspect)}`,
  ].filter((note) => note !== '');
  return (
    <>
      {isDecided ? <Decision id={entry.id} state={wordOf(state)} /> : why}
      {notes.map((note, i) => (
        <span key={note} class="note">
          {i === 0 && why === '' && !isDecided ? '' : ' · '}
          <bdi>{note}</bdi>
        </span>
      ))}
    </>
  );
}

/** Who decided it, and why. */
function Decision({ id, state }: { readonly id: string; readonly state: string }) {
  const action = { isolated: 'isolate', 'forced closed': 'force_closed', disabled: 'disable' }[state];
  const { value } = useReading<AuditPageAnswer>(
    `/admin/audit?extension_id=${encodeURIComponent(id)}&limit=1${action === undefined ? '' : `&action=${action}`}`,
    { key: state },
  );
  const [row] = value?.items ?? [];
  if (row === undefined) return null;
  return (
    <>
      by <bdi>{whoText(row.changed_by)}</bdi>
      {row.reason === null ? null : (
        <>
          : <bdi title={row.reason}>{shortened(row.reason, MAX_REASON)}</bdi>
        </>
      )}
    </>
  );
}

/** What was changed within half an hour before the trip: its likely cause. null: nothing. */
function useSuspect({ id, state, since }: BoardEntry): AuditItem | null {
  const suspect = useSignal<AuditItem | null>(null);
  useEffect(() => {
    suspect.value = null;
    if (since === null || !['open', 'half_open'].includes(stateAt(state))) return;
    const [from, to] = [since * 1000 - SUSPECT_MS, since * 1000 + 1000].map((at) => new Date(at).toISOString());
    const query = new URLSearchParams({ extension_id: id, since: from ?? '', until: to ?? '', limit: '20' });
    const controller = new AbortController();
    read<AuditPageAnswer>(`/admin/audit?${query}`, controller.signal).then(
      ({ items }) => {
        const isCause = (row: AuditItem) =>
          !isBySystem(row) && row.registry_revision !== null && row.action !== 'create';
        suspect.value = items.find(isCause) ?? null;
      },
      () => undefined,
    );
    return () => controller.abort();
  }, [id, since]);
  return suspect.value;
}

interface ActionsProps {
  readonly entry: BoardEntry;
  readonly suspect: AuditItem | null;
  readonly isAuto: boolean;
}

/** At most one button, and none where waiting is right; everything else is behind `…`. */
function Actions({ entry, suspect, isAuto }: ActionsProps) {
  const { id } = entry;
  const state = stateAt(entry.state);
  const rollout =
    suspect?.action === 'version_rollout' ? suspect.changes.find(({ path }) => path === '/rollout_percent') : undefined;
  const version = suspect?.version;
  const verb = state === 'disabled' ? 'enable' : state === 'isolated' || state === 'forced_closed' ? 'release' : null;
  return (
    <>
      {rollout !== undefined && version ? (
        <button
          type="button"
          onClick={() => askRollout(id, version, Number(rollout.to ?? 0), null, rollout.from as number | null)}
        >
          Back to {rollout.from === null || rollout.from === undefined ? 'no share' : `${rollout.from} %`}
        </button>
      ) : verb === null ? null : (
        <button type="button" onClick={() => askVerb(verb, id)}>
          {VERB_WORDS[verb]}
        </button>
      )}
      <Menu
        label={`Actions of ${id}`}
        items={verbsFor(state, isAuto).map((one) => ({
          label: `${VERB_WORDS[one]} …`,
          run: () => askVerb(one, id),
        }))}
      />
    </>
  );
}
