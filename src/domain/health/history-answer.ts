// The history of a version and the sparklines of a list, as the daemon answers and the console draws them. Types alone.
import type { Evidence } from '../registry/events.js';

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
