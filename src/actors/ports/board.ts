// What the edges read of the board, of histories and of failures. Types alone.
import type { HealthSummary } from '../../domain/health/health-schema.js';
import type { HistoryAnswer, HistoryStep, Sparklines } from '../../domain/health/history-answer.js';
import type { Failure } from '../../domain/health/recent-failures.js';
import type { ListQuery } from '../../domain/registry/list-query.js';
import type { LiveSource } from './live.js';

export interface Overview {
  /** Another one after each change of what the answer says, but for `now`. */
  readonly tag: string;
  /** All rows as columns, JSON in parts; null: the tag is known. */
  readonly parts: Generator<string> | null;
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
