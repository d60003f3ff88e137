// The answer of `explain` for one call: which versions and instances could serve it, which would, and why. The same JSON on every wire.
import { type Static, Type } from '#typebox';
import { listOf, objectOrNull, oneOf, orNull } from '../registry/answer-schema.js';
import type { ErrorCode } from '../registry/errors.js';
import { refusedRowSchema } from '../registry/refused-row.js';
import { WHYS } from './routing-table.js';

const text = () => Type.String();
const textOrNull = () => orNull<string>('string');

/** One version of the extension that is called. */
export type ExplainedVersion = Static<typeof explainedVersion>;
const explainedVersion = Type.Object({
  version: text(),
  /**
   * `chosen`; `disabled`; `excluded`: its rules do not match, `unmet` says which; `outranked`: they match, and others come first;
   * `rollout`: in the rollout with `percent`, and the key is not in its share; `default`; `stand_in`: no rules and no percentage, asked
   * if the default takes no call.
   */
  verdict: oneOf(['chosen', 'disabled', 'excluded', 'outranked', 'rollout', 'default', 'stand_in']),
  /** Share of the rollout, 0..100; of the default what the others leave. Null outside of it. */
  percent: orNull<number>('number'),
  /** `got` null: the context has no such key. */
  unmet: objectOrNull({ key: text(), wanted: listOf(text()), got: textOrNull() }),
});

export type ExplainedInstance = Static<typeof explainedInstance>;
const explainedInstance = Type.Object({
  id: text(),
  subject: text(),
  weight: Type.Number(),
  /** Share of the calls that its weight gives it among those in rotation, 0..1; 0 if it gets none. */
  share: Type.Number(),
  /**
   * `next`: it would get this call; `trial`: likewise, to see whether it has recovered; `reported`: an operator reports it unhealthy, and it
   * shares its subject; `full`: it has as many calls in flight as `hash_balance_factor` allows.
   */
  verdict: oneOf(['next', 'trial', 'in_rotation', 'ejected', 'reported', 'resting', 'full', 'drained', 'disabled']),
});

/** One version, of this extension or of one that it fails over to, in the order in which they are asked. */
export type ExplainedCandidate = Static<typeof explainedCandidate>;
const explainedCandidate = Type.Object({
  extension_id: text(),
  version: text(),
  why: oneOf(WHYS),
  /** `taken`: it would get this call; `refused`: `reason` says why; `not_asked`: a candidate before it gets the call. */
  verdict: oneOf(['taken', 'refused', 'not_asked']),
  /** As `details.reason` of an error; null if it is not refused. */
  reason: textOrNull(),
  circuit_breaker_state: oneOf(['closed', 'open', 'half_open']),
  /** Health window; null without calls. */
  success_rate: orNull<number>('number'),
  /** A default version whose success rate is so low that for nine calls of ten other candidates come first. */
  passed_over: Type.Boolean(),
  /** Empty without instance rows: then its subject's queue group is the pool. */
  instances: listOf(explainedInstance),
});

type Answer =
  | {
      readonly kind: 'taken';
      readonly extension_id: string;
      readonly version: string;
      readonly instance_id: string | null;
      readonly subject: string;
    }
  | {
      readonly kind: 'refused';
      readonly code: ErrorCode;
      readonly reason: string | null;
      readonly message: string;
      /** As in the error that the call would get. */
      readonly retryable: boolean;
    };

export type Explanation = Static<typeof explanationSchema>;
export const explanationSchema = Type.Object({
  extension_id: text(),
  /** The context that was asked about, with what the daemon's configuration puts into it. Not by a pattern, which would drop keys with line breaks. */
  context: Type.Unsafe<Readonly<Record<string, string>>>({ type: 'object', additionalProperties: { type: 'string' } }),
  /** Keys of it that nothing uses. */
  unused: listOf(text()),
  /** Sentences: keys that no rule uses, and that resemble one that a rule does. */
  warnings: listOf(text()),
  /** False: the extension's row is refused, and its last valid form is in force, or none; `refused_rows` says why. */
  in_force: Type.Boolean(),
  /** Of the extension, its versions and its instances. */
  refused_rows: listOf(refusedRowSchema),
  /** The version that such a call is routed to, also if it is refused before; null: there is none. */
  chosen: objectOrNull({ version: text(), by: oneOf(['rules', 'rollout', 'default']) }),
  /** Null without a rollout. `key` null: the context has none for it, and chance decides each call. */
  rollout: objectOrNull({ key: textOrNull(), value: textOrNull() }),
  versions: listOf(explainedVersion),
  candidates: listOf(explainedCandidate),
  /** Extensions of `policy.fallback` that are no candidates, and why. */
  skipped: listOf(Type.Object({ extension_id: text(), reason: text() })),
  // Those of `taken` or those of `refused`; a union of schemas is serialised by trial.
  answer: Type.Unsafe<Answer>(
    Type.Object({
      kind: oneOf(['taken', 'refused']),
      extension_id: Type.Optional(text()),
      version: Type.Optional(text()),
      instance_id: Type.Optional(textOrNull()),
      subject: Type.Optional(text()),
      code: Type.Optional(text()),
      reason: Type.Optional(textOrNull()),
      message: Type.Optional(text()),
      retryable: Type.Optional(Type.Boolean()),
    }),
  ),
});
