// What the edges read of the board, of histories and of failures. Types alone.
import type { HealthSummary } from '../../domain/health/health-schema.js';
import type { Failure } from '../../domain/health/recent-failures.js';
import type { Evidence } from '../../domain/registry/events.js';
import type { ListQuery } from '../../domain/registry/list-query.js';
import type { LiveSource } from './live.js';

export interface Overview {
  /** Another one after each change of what the answer says, but for `now`. */
  readonly tag: string;
  /** All rows as columns, JSON in parts; null: the tag is known. */
  readonly parts: Generator<string> | null;
}

export type HistoryStep = 10 | 60;

/** A value for each slot from `start` (epoch s) on; null: nothing happened in it. */
export interface HistoryNumbers {
  readonly step: HistoryStep;
  readonly start: number;
  readonly calls: readonly (number | null)[];
  readonly failed: readonly (number | null)[];
  readonly refused: readonly (number | null)[];
  /** ms, of the health window as the slot ended. */
  readonly p50: readonly (number | null)[];
  readonly p95: readonly (number | null)[];
  readonly p99: readonly (number | null)[];
}

export interface HistoryMark {
  /** ISO 8601. */
  readonly at: string;
  readonly kind: string;
  /** null: of the extension, not of one version. */
  readonly version: string | null;
  readonly instance_id?: string;
  readonly reason?: string;
  readonly actor: string;
  readonly evidence?: Evidence;
}

export interface HistoryAnswer extends HistoryNumbers {
  /** Oldest first. */
  readonly marks: readonly HistoryMark[];
  /** Epoch s: the numbers know nothing of before. */
  readonly begins: number;
}

export interface Sparklines {
  readonly step: number;
  /** Epoch s: where the last slot ended. */
  readonly end: number;
  /** In the order that was asked for; null: no such extension. */
  readonly calls: readonly (readonly (number | null)[] | null)[];
  readonly failed: readonly (readonly (number | null)[] | null)[];
}

export type ListAnswer =
  | {
      readonly kind: 'page';
      /** JSON texts. */
      readonly items: readonly string[];
      readonly next: string | null;
      readonly total: number;
      readonly revision: number | null;
    }
  | { readonly kind: 'invalid'; readonly message: string };

export type OfVersion<T> = T | 'extension_not_found' | 'version_not_found';

export interface BoardSource {
  /** `isKnown`: whether the client has what this tag stands for. */
  overview(isKnown: (tag: string) => boolean): Promise<Overview>;
  sparklines(ks: readonly number[]): Promise<Sparklines>;
  list(query: ListQuery): Promise<ListAnswer>;
  /** `version`: null for the default one. */
  history(
    extensionId: string,
    version: string | null,
    step: HistoryStep,
    fromSeconds?: number,
  ): Promise<OfVersion<HistoryAnswer>>;
  /** Newest first. */
  failures(extensionId: string, version: string | null): OfVersion<readonly Failure[]>;
  summary(): HealthSummary;
  readonly live: LiveSource;
}
