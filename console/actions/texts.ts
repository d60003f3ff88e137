// The words of actions: the question, what happens to callers now, and what it says when it is done.

import { count, percent, rate, some } from '../words/numbers.js';
import type { BoardState } from '../words/states.js';

export type Verb = 'isolate' | 'release' | 'disable' | 'enable' | 'force-closed' | 'reset';

/** What is known of the extension at this moment. Rates are per second. */
export interface Facts {
  readonly id: string;
  readonly state: BoardState;
  readonly isAutoDisabled: boolean;
  readonly calls: number;
  readonly refused: number;
  readonly successRate: number | null;
}

export interface Words {
  readonly question: string;
  readonly text: string;
  /** On the button. */
  readonly verb: string;
}

export const VERB_WORDS: Readonly<Record<Verb, string>> = {
  isolate: 'Isolate',
  release: 'Release',
  disable: 'Disable',
  enable: 'Enable',
  'force-closed': 'Force closed',
  reset: 'Reset',
};

const perSecond = (value: number): string => `${value < 10 ? rate(value) : count(value)} a second`;

/** `disabledBy`: who disabled it; null: not known. `probes`: at a time. */
export function verbWords(
  verb: Verb,
  facts: Facts,
  disabledBy: string | null = null,
  probes: number | null = null,
): Words {
  const { id, calls, successRate } = facts;
  const now = calls > 0 ? `, ${perSecond(calls)}` : '';
  const failing = successRate === null ? '' : `, though ${percent(1 - successRate)} fail now`;
  const trial = probes === null ? 'a few probes' : some(probes, 'probe');
  const begins = facts.isAutoDisabled
    ? 'It was disabled automatically: it begins half-open, and probes decide.'
    : `It was disabled by ${disabledBy ?? 'an operator'}: it begins closed, with a slow start.`;
  const texts: Readonly<Record<Verb, readonly [question: string, text: string]>> = {
    isolate: [`Isolate ${id}?`, `Every call is refused from now on${now}. It stays so until an operator releases it.`],
    release: [
      `Release ${id}?`,
      facts.state === 'forced_closed'
        ? 'Its breaker decides again, by what it measured.'
        : `It goes to half-open: ${trial} at a time decide.`,
    ],
    disable: [`Disable ${id}?`, `Callers get the error disabled${now}. Nothing enables it automatically.`],
    enable: [`Enable ${id}?`, begins],
    'force-closed': [`Keep the breaker of ${id} closed?`, `Every call reaches it${failing || now}.`],
    reset: [
      `Close the breaker of ${id} and forget its windows?`,
      'Its trips are 0 again, and ejected instances return.',
    ],
  };
  const [question, text] = texts[verb];
  return { question, text, verb: VERB_WORDS[verb] };
}

/**
 * What takes a verb back, by the state before it; null: nothing puts that state back, or it lets harm through and has to be asked for by its own
 * dialog.
 */
export function undoOf(verb: Verb, { state, isAutoDisabled }: Pick<Facts, 'state' | 'isAutoDisabled'>): Verb | null {
  const isOverridden = state === 'isolated' || state === 'forced_closed';
  switch (verb) {
    case 'isolate':
      return isOverridden ? null : 'release';
    case 'force-closed':
      return state === 'isolated' ? 'isolate' : isOverridden ? null : 'release';
    case 'release':
      return state === 'isolated' ? 'isolate' : null;
    case 'disable':
      return state === 'disabled' || isAutoDisabled ? null : 'enable';
    case 'enable':
      return state === 'disabled' ? 'disable' : null;
    case 'reset':
      return null;
  }
}

/** What makes sense for an extension in that state, in the order of a menu. */
export function verbsFor(state: BoardState, isAutoDisabled: boolean): readonly Verb[] {
  switch (state) {
    case 'disabled':
      return ['enable', 'isolate'];
    case 'isolated':
      return ['release', 'disable', 'force-closed'];
    case 'forced_closed':
      return ['release', 'isolate', 'disable'];
    default:
      return [...(isAutoDisabled ? (['enable'] as const) : []), 'isolate', 'disable', 'force-closed', 'reset'];
  }
}

export const DONE: Readonly<Record<Verb, string>> = {
  isolate: 'is isolated',
  release: 'is released',
  disable: 'is disabled',
  enable: 'is enabled',
  'force-closed': 'is kept closed',
  reset: 'is reset',
};

/** `others`: instances that take its share. */
export function drainWords(id: string, instance: string, inFlight: number, others: readonly string[]): Words {
  const share =
    others.length === 0
      ? `No other instance of ${id} takes calls.`
      : `${listed(others)} ${others.length === 1 ? 'takes' : 'take'} its share.`;
  return {
    question: `Send no new calls to instance ${instance}?`,
    text: `${inFlight === 1 ? '1 is' : `${count(inFlight)} are`} in flight. ${share}`,
    verb: 'Drain',
  };
}

export const undrainWords = (instance: string): Words => ({
  question: `Send calls to instance ${instance} again?`,
  text: 'It gets the weight back that the last drain took.',
  verb: 'Undrain',
});

export function rolloutWords(version: string, to: number | null, now: number | null, rest: string | null): Words {
  const was = now === null ? 'none by a share now' : `now ${now} %`;
  const others = rest === null || to === null ? '' : ` ${rest} keeps ${100 - to} %.`;
  return {
    question: to === null ? `Take ${version} out of the rollout?` : `Give ${version} ${to} % of the callers (${was})?`,
    text: to === null ? `It had ${was}.` : `A caller keeps its version.${others}`,
    verb: to === null ? 'Take out' : `Give ${to} %`,
  };
}

export const deleteWords = (id: string, versions: number, instances: number): Words => ({
  question: `Delete ${id} with ${some(versions, 'version')} and ${some(instances, 'instance')}?`,
  text: 'Callers get the error extension_not_found. Its audit trail stays. This cannot be undone.',
  verb: 'Delete',
});

export const tryWords = (id: string): Words => ({
  question: `Call ${id} for real?`,
  text: 'It counts for its health and may change things.',
  verb: 'Call',
});

/** `a, b and c`; of many the first. */
function listed(names: readonly string[]): string {
  const shown = names.slice(0, 3);
  const more = names.length - shown.length;
  const all = more > 0 ? [...shown, `${more} more`] : shown;
  return all.length === 1 ? (all[0] ?? '') : `${all.slice(0, -1).join(', ')} and ${all.at(-1)}`;
}
