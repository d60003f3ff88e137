// Actions on extensions, versions and instances: what each asks, and the request that it makes.

import { signal } from '@preact/signals';
import { BOARD_FLAGS, type BoardEntry } from '../../src/domain/board-codes.js';
import type { ExtensionHealth } from '../../src/domain/health/health-schema.js';
import type { AuditPageAnswer } from '../../src/domain/registry/audit-answer.js';
import { read, request } from '../live/api.js';
import { rowOf } from '../live/board.js';
import { probeLimit } from '../words/reasons.js';
import { stateAt } from '../words/states.js';
import { isBySystem, whoText } from '../words/why.js';
import { type Action, type Done, type Order, pending } from './action.js';
import {
  DONE,
  deleteWords,
  drainWords,
  type Facts,
  rolloutWords,
  undoOf,
  undrainWords,
  VERB_WORDS,
  type Verb,
  verbWords,
} from './texts.js';

const PENDING = 'In force here. It is written when the database is back.';
const NEEDS_REASON: readonly Verb[] = ['disable', 'isolate', 'force-closed'];

const ofExtension = (id: string): string => `/admin/extensions/${encodeURIComponent(id)}`;
/** `undefined` members are left out of JSON. */
const bodyOf = ({ reason, by }: Order): object => ({ reason: reason ?? undefined, by });

export function factsOf(entry: BoardEntry): Facts {
  return {
    id: entry.id,
    state: stateAt(entry.state),
    isAutoDisabled: (entry.flags & BOARD_FLAGS.auto_disabled) !== 0,
    calls: entry.calls,
    refused: entry.refused,
    successRate: entry.success_rate,
  };
}

/** As it is on the board now; reads a signal. */
function currentFacts(id: string): Facts {
  const entry = rowOf(id)?.entry.value;
  if (entry !== undefined) return factsOf(entry);
  return { id, state: 'closed', isAutoDisabled: false, calls: 0, refused: 0, successRate: null };
}

interface VerbAnswer {
  readonly revision: number | null;
  readonly owed: boolean;
}

async function runVerb(verb: Verb, id: string, order: Order, by: string | undefined): Promise<Done> {
  const undo = undoOf(verb, currentFacts(id));
  const { body } = await request<VerbAnswer>(`${ofExtension(id)}/${verb}`, { method: 'POST', body: bodyOf(order) });
  const written = body.owed ? PENDING : body.revision === null ? '' : `Revision ${body.revision}.`;
  const text = `${id} ${DONE[verb]}. ${written}`;
  if (undo === null) return { text };
  const reason = `undo of ${verb}${order.reason === null ? '' : `: ${order.reason}`}`.slice(0, 1000);
  return { text, undo: [VERB_WORDS[undo], () => runVerb(undo, id, { reason, by }, by)] };
}

/** What the question of a verb says beyond the board; null: not known. */
interface Background {
  /** Who disabled it. */
  readonly disabledBy: string | null;
  /** How many probes pass at a time. */
  readonly probes: number | null;
}

/** Read when it is asked: a dialog opens without waiting for it. */
async function backgroundOf(verb: Verb, id: string): Promise<Background> {
  if (verb === 'enable') {
    const { items } = await read<AuditPageAnswer>(
      `/admin/audit?extension_id=${encodeURIComponent(id)}&action=disable&limit=1`,
    );
    const [row] = items;
    return { disabledBy: row === undefined || isBySystem(row) ? null : whoText(row.changed_by), probes: null };
  }
  const health = verb === 'release' ? await read<ExtensionHealth>(`${ofExtension(id)}/health`) : null;
  return { disabledBy: null, probes: health === null ? null : probeLimit(health) };
}

export function askVerb(verb: Verb, id: string): void {
  const background = signal<Background>({ disabledBy: null, probes: null });
  backgroundOf(verb, id).then(
    (known) => {
      background.value = known;
    },
    () => undefined,
  );
  pending.value = {
    id,
    words: () => verbWords(verb, currentFacts(id), background.value.disabledBy, background.value.probes),
    reason: NEEDS_REASON.includes(verb) ? 'required' : 'optional',
    typed: verb === 'force-closed' ? id : null,
    run: (order) => runVerb(verb, id, order, order.by),
  };
}

interface WeightAnswer {
  readonly weight: number;
  readonly was: number;
  readonly revision: number;
}

async function runDrain(verb: 'drain' | 'undrain', id: string, instance: string, order: Order): Promise<Done> {
  const path = `${ofExtension(id)}/instances/${encodeURIComponent(instance)}/${verb}`;
  const { body } = await request<WeightAnswer>(path, { method: 'POST', body: bodyOf(order) });
  const back = verb === 'drain' ? 'undrain' : 'drain';
  return {
    text: `${instance} of ${id} has the weight ${body.weight} (was ${body.was}). Revision ${body.revision}.`,
    undo: [
      back === 'drain' ? 'Drain' : 'Undrain',
      () => runDrain(back, id, instance, { ...order, reason: `undo of ${verb}` }),
    ],
  };
}

export function askDrain(id: string, instance: string, inFlight: number, others: readonly string[]): void {
  pending.value = {
    id,
    words: () => drainWords(id, instance, inFlight, others),
    reason: 'required',
    typed: null,
    run: (order) => runDrain('drain', id, instance, order),
  };
}

export function askUndrain(id: string, instance: string): void {
  pending.value = {
    id,
    words: () => undrainWords(instance),
    reason: 'optional',
    typed: null,
    run: (order) => runDrain('undrain', id, instance, order),
  };
}

interface RolloutAnswer {
  readonly percent: number | null;
  readonly was: number | null;
  readonly revision: number;
}

async function runRollout(id: string, version: string, to: number | null, order: Order): Promise<Done> {
  const body = { version, percent: to, ...bodyOf(order) };
  const answer = (await request<RolloutAnswer>(`${ofExtension(id)}/rollout`, { method: 'POST', body })).body;
  const share = (value: number | null): string => (value === null ? 'no share' : `${value} %`);
  return {
    text: `${version} of ${id} has ${share(answer.percent)} (was ${share(answer.was)}). Registry revision ${answer.revision}.`,
    undo: [
      `back to ${share(answer.was)}`,
      () => runRollout(id, version, answer.was, { ...order, reason: `undo of rollout: ${order.reason ?? ''}` }),
    ],
  };
}

/** `to` undefined: the dialog asks for it. `rest`: the version that keeps what is left. */
export function askRollout(
  id: string,
  version: string,
  now: number | null,
  rest: string | null,
  to?: number | null,
): void {
  const begin = (value: number | null, typed: string, isValid = true): void => {
    pending.value = {
      id,
      words: () => rolloutWords(version, value, now, rest),
      reason: 'required',
      typed: value === 100 ? id : null,
      ...(to === undefined ? { share: { value: typed, isValid, set: (text) => change(text, value) } } : {}),
      run: (order) => runRollout(id, version, value, order),
    };
  };
  // What is typed stays as it is, `5.` on the way to `5.5` too; while it is no share, the question is about the last one that was.
  const change = (text: string, last: number | null): void => {
    const value = text.trim() === '' ? null : Number(text.replace(',', '.'));
    const isValid = value === null || (value >= 0 && value <= 100);
    begin(isValid ? value : last, text, isValid);
  };
  const first = to === undefined ? now : to;
  begin(first, first === null ? '' : String(first));
}

/** `revision`: of the row that was shown. */
export function askDelete(id: string, revision: number, versions: number, instances: number, onDone: () => void): void {
  let known = revision;
  const action: Action = {
    id,
    words: () => deleteWords(id, versions, instances),
    reason: 'required',
    typed: id,
    onConflict: (is) => {
      known = is;
    },
    run: async ({ reason, by }) => {
      const query = new URLSearchParams({ reason: reason ?? '', ...(by === undefined ? {} : { by }) });
      await request(`${ofExtension(id)}?${query}`, { method: 'DELETE', headers: { 'if-match': `"${known}"` } });
      onDone();
      return { text: `${id} is deleted. Its audit trail stays.` };
    },
  };
  pending.value = action;
}
