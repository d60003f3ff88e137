// What the actors offer to the edges and the command line, as types; the roof hands it over.
import type { AnyEventObject, AnyMachineSnapshot } from 'xstate';
import type { JsonMap } from '../../domain/exact-json.js';
import type { HealthReport } from '../../domain/health/health-schema.js';
import type { BreakerOverride } from '../../domain/registry/extension.js';
import type { Verb } from '../../domain/registry/verbs.js';
import type { Named } from '../../domain/registry-file/registry-file-diff.js';
import type { EditProblem } from '../../domain/registry-file/row-edit.js';
import type { Explanation } from '../../domain/routing/explanation-schema.js';
import type { BreakerStateName, RolloutChange } from './storage.js';

export interface Readiness {
  readonly ready: boolean;
  /** Why not ready: `nats`, `registry`, `draining`. */
  readonly waiting_for: readonly string[];
  /** What it waits for, in words, if there is more to say. */
  readonly reasons: readonly string[];
  /** What is unavailable while calls are still served: `database`, `registry_snapshot_file`. */
  readonly degraded: readonly string[];
}

export interface HealthSelection {
  /** Extensions at most; absent: all. */
  readonly limit?: number;
  /** So many of those selected are skipped first. */
  readonly offset?: number;
  /** Only those that the summary counts as unhealthy. */
  readonly unhealthy?: boolean;
}

/** A HealthReport whose rows are texts: each is the JSON of one extension, in order of ids. */
export interface HealthList extends Omit<HealthReport, 'extensions'> {
  readonly extensions: readonly string[];
}

export interface HealthSource {
  /** Summary and refused rows are those of the whole, whatever is selected. */
  list(selection: HealthSelection): Promise<HealthList>;
  /** The JSON of an ExtensionHealth in parts, each made when it is asked for; null: no such extension. */
  one(extensionId: string): Generator<string> | null;
  /** A sentence: why one() has nothing of it. */
  absence(extensionId: string): string;
}

/**
 * What would become of a call with this context, as of now, by the router's own code; nothing is changed by it. null: there is no
 * such extension.
 */
export type Explain = (extensionId: string, context: Readonly<Record<string, string>>) => Explanation | null;

export interface VerbOrder {
  readonly extensionId: string;
  /** null: every target of the extension. */
  readonly version: string | null;
  readonly verb: Verb;
  /** null: none was given, which is allowed unless `needsReason(verb)`. */
  readonly reason: string | null;
  readonly actor: string;
}

export type VerbAnswer =
  | {
      readonly kind: 'in_force';
      /** Of the row that was written; null while it is pending. */
      readonly revision: number | null;
      /** The database is away: it is written when it is back, unless an operator decides otherwise before. */
      readonly owed: boolean;
      readonly enabled: boolean;
      readonly autoDisabled: boolean;
      readonly override: BreakerOverride | null;
      /** null: nothing runs that has a breaker. */
      readonly breakerState: BreakerStateName | null;
    }
  | { readonly kind: 'extension_not_found' | 'version_not_found' | 'database_unavailable'; readonly message: string };

export type ExecuteVerb = (order: VerbOrder) => Promise<VerbAnswer>;

export interface RolloutOrder {
  readonly extensionId: string;
  readonly version: string;
  /** 0..100 with at most two digits after the point; null: taken out of the rollout. */
  readonly percent: number | null;
  readonly reason: string;
  readonly actor: string;
}

export type RolloutAnswer =
  | {
      readonly kind: 'set';
      /** False: it was there already, and nothing was written. */
      readonly changed: boolean;
      readonly was: number | null;
      /** Of the registry, which has the percentage from there on. */
      readonly revision: number;
      /** The percentage is in force on this daemon. */
      readonly inForce: boolean;
    }
  | {
      readonly kind:
        | 'extension_not_found'
        | 'version_not_found'
        | 'version_has_rules'
        | 'rollout_over_100'
        | 'rollout_keys_differ'
        | 'database_unavailable';
      readonly message: string;
    };

export interface RolloutReport {
  readonly kind: 'report';
  readonly revision: number;
  /** The version that takes what is left, on this daemon; null: there is none, or the extension does not run. */
  readonly defaultVersion: string | null;
  readonly versions: readonly {
    readonly version: string;
    readonly enabled: boolean;
    readonly hasRules: boolean;
    /** As its row says. */
    readonly percent: number | null;
    readonly key: string | null;
    /** Percent of the calls that no rules take, in force on this daemon; null: it takes none by a share. */
    readonly share: number | null;
  }[];
  /** Newest first. */
  readonly history: readonly RolloutChange[];
}

export interface RolloutDesk {
  set(order: RolloutOrder): Promise<RolloutAnswer>;
  /** `historyLimit`: so many changes at most. */
  report(
    extensionId: string,
    historyLimit: number,
  ): Promise<
    RolloutReport | { readonly kind: 'extension_not_found' | 'database_unavailable'; readonly message: string }
  >;
}

/** What an operator wants of one row. */
export interface RowOrder extends Named {
  /**
   * `create`: it must not exist. `replace` makes or replaces it; what is left out gets its default. `merge`: RFC 7396. `set`: the fields
   * that are named are replaced, the others stay.
   */
  readonly how: 'create' | 'replace' | 'merge' | 'set' | 'delete';
  /** Empty for `delete`. */
  readonly fields: JsonMap;
  /** The row's own revision that may be overwritten; `any`; `nothing`: it must not exist. */
  readonly expects: number | 'any' | 'nothing';
  /** The revision that the body says it is of; null: it says none. */
  readonly revisionInBody: number | null;
  readonly reason: string;
  readonly actor: string;
}

export type RowAnswer =
  /** `revision`: the row's own. */
  | {
      readonly kind: 'row';
      readonly row: JsonMap;
      readonly revision: number;
      readonly created: boolean;
      /** The database is away: it is what this daemon works by. */
      readonly isFromMemory?: true;
    }
  | { readonly kind: 'deleted' }
  | {
      readonly kind: 'revision_conflict';
      readonly message: string;
      /** Which of the two did not fit. */
      readonly where: 'precondition' | 'body';
      /** Of the row as it is; null: there is none. */
      readonly revision: number | null;
      readonly changed_by: string | null;
      readonly changed_at: string | null;
    }
  | { readonly kind: 'row_invalid'; readonly message: string; readonly problems: readonly EditProblem[] }
  | {
      readonly kind:
        | 'extension_not_found'
        | 'version_not_found'
        | 'instance_not_found'
        | 'already_exists'
        | 'database_unavailable';
      readonly message: string;
    };

export interface RowDesk {
  read(row: Named): Promise<RowAnswer>;
  /** The versions or instances of an extension, in order of their names. */
  list(
    extensionId: string,
    kind: 'version' | 'instance',
  ): Promise<
    /** Each row is made when it is asked for; they are asked for once. */
    | { readonly kind: 'rows'; readonly rows: Iterable<JsonMap> }
    | { readonly kind: 'extension_not_found' | 'database_unavailable'; readonly message: string }
  >;
  edit(order: RowOrder): Promise<RowAnswer>;
}

// For inspector/

/**
 * Observes the actor of one target, from within its steps: it must be quick, and one that throws is not called again.
 * Snapshots hold the windows by reference.
 */
export interface ActorObserver {
  /** An actor is there: when the watch begins, and after each rebuild. `config` is that of its machine. */
  actorStarted(config: object, snapshot: AnyMachineSnapshot): void;
  /** `fromItself`: a timer of its own. */
  eventReceived(event: AnyEventObject, fromItself: boolean): void;
  /** Also for the end of an actor: status `error` or `stopped`. */
  snapshotTaken(snapshot: AnyMachineSnapshot, event: AnyEventObject): void;
}

/** What can be watched; the same object for as long as it runs. */
export interface WatchableActor {
  /** Returns the function that ends it. Nothing is attached to an actor without viewers. */
  watch(observer: ActorObserver): () => void;
}

/** One version of one extension. */
interface WatchableTarget extends WatchableActor {
  readonly extensionId: string;
  readonly version: string;
  /** The breaker's own state, without an operator's override. */
  readonly publishedState: BreakerStateName;
}

export interface InspectionSource {
  /** Different after each change of what can be watched. */
  readonly changes: number;
  /** How many targets there are. */
  readonly targetCount: number;
  readonly supervisor: WatchableActor;
  /** Ids of the extensions that run, in order, behind `after`; each is found when it is asked for. */
  extensionIds(after?: string): Iterable<string>;
  /** The targets of one extension; null: no such extension. */
  targetsOf(extensionId: string): readonly WatchableTarget[] | null;
}
