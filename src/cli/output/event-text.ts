// Events of the registry, one line each: when, what, of which, why, who.
import { type Evidence, failuresText } from './evidence-text.js';
import { singleLine } from './terminal-text.js';
import { clockText } from './times.js';

/** As published on NATS (domain/registry/events.ts). */
export interface EventFacts {
  readonly event: string;
  /** `_`: of no single extension. */
  readonly extension_id: string;
  readonly version?: string;
  readonly instance_id?: string;
  readonly at: string;
  readonly reason?: string;
  readonly evidence?: Evidence;
  readonly actor: string;
}

export function eventLine({
  event,
  at,
  extension_id: id,
  version,
  instance_id: instance,
  reason,
  evidence,
  actor,
}: EventFacts): string {
  const of = `${id === '_' ? 'all' : id}${version === undefined ? '' : `@${version}`}${instance === undefined ? '' : ` ${instance}`}`;
  const numbers = evidence === undefined ? '' : failuresText(evidence);
  const why = [reason ?? '', numbers].filter((text) => text !== '').join(', ');
  return singleLine([clockText(at), event.padEnd(20), of, why === '' ? '-' : why, actor].join('  '));
}
