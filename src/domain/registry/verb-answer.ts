// The answer to a verb: what is in force after it.
import { type Static, Type } from '#typebox';
import { oneOf, orNull } from './answer-schema.js';
import type { BreakerOverride } from './extension.js';
import { VERBS } from './verbs.js';

export type VerbInForce = Static<typeof verbAnswerSchema>;
export const verbAnswerSchema = Type.Object({
  extension_id: Type.String(),
  /** Absent: every version. */
  version: Type.Optional(Type.String()),
  verb: oneOf(VERBS),
  /** Of the row that was written; null while it is pending. */
  revision: orNull<number>('number'),
  /** The database is away: it is in force here, and is written when the database is back, unless an operator decides otherwise before. */
  owed: Type.Boolean(),
  enabled: Type.Boolean(),
  auto_disabled: Type.Boolean(),
  override: orNull<BreakerOverride>('string'),
  /** null: nothing runs that has a breaker. */
  circuit_breaker_state: orNull<'closed' | 'open' | 'half_open'>('string'),
});
