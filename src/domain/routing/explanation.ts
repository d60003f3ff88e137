// What `explain` says of one call: who could take it, who would, and why. JSON as it is, on every wire.
import type { ErrorCode } from '../registry/errors.js';
import type { ChosenBy, Why } from './routing-table.js';

/** One version of the extension that was asked for. */
export interface ExplainedVersion {
  readonly version: string;
  /**
   * `chosen`; `disabled`; `excluded`: its rules do not match, `unmet` says where; `outranked`: they match, and others come
   * first; `rollout`: in the rollout with `percent`, and the key is not in its share; `default`; `stand_in`: no rules and no
   * percentage, asked where the default takes no call.
   */
  readonly verdict: 'chosen' | 'disabled' | 'excluded' | 'outranked' | 'rollout' | 'default' | 'stand_in';
  /** Share of the rollout, 0..100; of the default what the others leave. Null outside of it. */
  readonly percent: number | null;
  readonly unmet: {
    readonly key: string;
    readonly wanted: readonly string[];
    /** null: the context has no such key. */
    readonly got: string | null;
  } | null;
}

export interface ExplainedInstance {
  readonly id: string;
  readonly subject: string;
  readonly weight: number;
  /** Share of the calls that its weight gives it among those in rotation, 0..1; 0 for who gets none. */
  readonly share: number;
  /**
   * `next`: it would get this call; `trial`: likewise, to see whether it is well again; `reported`: an operator says that it is
   * unhealthy, and it shares its subject; `full`: it has as many calls in flight as `hash_balance_factor` allows.
   */
  readonly verdict:
    | 'next'
    | 'trial'
    | 'in_rotation'
    | 'ejected'
    | 'reported'
    | 'resting'
    | 'full'
    | 'drained'
    | 'disabled';
}

/** One version, of this extension or of one that stands in for it, in the order in which they are asked. */
export interface ExplainedCandidate {
  readonly extension_id: string;
  readonly version: string;
  readonly why: Why;
  /** `taken`: it would get this call; `refused`: `reason` says why; `not_asked`: a candidate before it gets the call. */
  readonly verdict: 'taken' | 'refused' | 'not_asked';
  /** As `details.reason` of an error; null where it is not refused. */
  readonly reason: string | null;
  readonly circuit_breaker_state: 'closed' | 'open' | 'half_open';
  /** Health window; null without calls. */
  readonly success_rate: number | null;
  /** A default version whose success rate is so low that nine calls of ten ask others first. */
  readonly passed_over: boolean;
  /** Empty where it has no instance rows: then its subject's queue group is the pool. */
  readonly instances: readonly ExplainedInstance[];
}

export interface Explanation {
  readonly extension_id: string;
  /** The context that was asked about, with what the daemon's configuration puts into it. */
  readonly context: Readonly<Record<string, string>>;
  /** Keys of it that nothing here looked at. */
  readonly unused: readonly string[];
  /** The version that such a call is routed to, also if it is refused before; null: there is none. */
  readonly chosen: { readonly version: string; readonly by: ChosenBy } | null;
  /** Null without a rollout. `key` null: the context has none for it, and chance decides each call. */
  readonly rollout: { readonly key: string | null; readonly value: string | null } | null;
  readonly versions: readonly ExplainedVersion[];
  readonly candidates: readonly ExplainedCandidate[];
  /** Extensions of `policy.fallback` that are no candidates, and why. */
  readonly skipped: readonly { readonly extension_id: string; readonly reason: string }[];
  readonly answer:
    | {
        readonly kind: 'taken';
        readonly extension_id: string;
        readonly version: string;
        readonly instance_id: string | null;
        readonly subject: string;
      }
    | { readonly kind: 'refused'; readonly code: ErrorCode; readonly reason: string | null; readonly message: string };
}
