// Which colour a state has in a chart, and its sign: that of the state of an extension that it means.
import type { StateNode } from './definition.js';

type Tone = 'closed' | 'open' | 'half' | 'override' | 'plain';

const TONES: Readonly<Record<string, readonly [tone: Tone, sign: string]>> = {
  closed: ['closed', '●'],
  open: ['open', '▲'],
  halfOpen: ['half', '◐'],
  isolated: ['override', '■'],
  forcedClosed: ['override', '◆'],
  // Of the supervisor.
  starting: ['half', '◐'],
  running: ['closed', '●'],
  draining: ['half', '◐'],
  stopped: ['open', '▲'],
};

const outermost = (node: StateNode): StateNode =>
  node.parent === null || node.parent.parent === null ? node : outermost(node.parent);

export const toneOf = (node: StateNode): Tone => TONES[outermost(node).key]?.[0] ?? 'plain';

/** Of a state within another one: '' – its parent has it. */
export const signOf = (node: StateNode): string => (node.parent?.parent === null ? (TONES[node.key]?.[1] ?? '●') : '');

/** Of the outermost active state, by its name. */
export const toneOfKey = (key: string): Tone => TONES[key]?.[0] ?? 'plain';
export const signOfKey = (key: string): string => TONES[key]?.[1] ?? '●';
