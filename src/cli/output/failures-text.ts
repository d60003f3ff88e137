// The last attempts that failed, and what the extension said.
import { textTable } from './output.js';
import type { Style } from './style.js';
import { clockText } from './times.js';

/** Newest first. */
export interface RecentFailures {
  readonly failures: readonly {
    /** ISO 8601. */
    readonly at: string;
    readonly kind: string;
    /** Of the service error. */
    readonly code?: number;
    readonly message?: string;
    readonly instance_id: string | null;
    readonly duration_ms: number;
  }[];
}

/** '' if there is none. */
export const failuresTable = (failures: RecentFailures['failures'], style: Style): string =>
  failures.length === 0
    ? ''
    : textTable(
        ['FAILED', 'KIND', 'CODE', 'AFTER ms', 'WHY', 'INSTANCE'],
        failures.map(({ at, kind, code, duration_ms, message, instance_id }) => [
          clockText(at),
          kind,
          String(code ?? '-'),
          duration_ms.toFixed(1),
          message ?? '-',
          instance_id ?? '-',
        ]),
        style,
        ['AFTER ms'],
      );
