// What the daemon says of itself, read from its parts.
import type { Readiness } from '../actors/ports/api.js';
import type { DaemonStatus } from '../domain/status-schema.js';
import type { LoopDelay } from '../telemetry/loop-delay.js';
import type { DaemonNumbers } from '../telemetry/metrics.js';
import { VERSION } from './version.js';

/** Of this process. */
interface Boot {
  readonly id: string;
  readonly startedAtMs: number;
}

interface StatusSources {
  readonly boot: Boot;
  readonly numbers: () => DaemonNumbers;
  readonly readiness: () => Readiness;
  readonly extensions: () => DaemonStatus['extensions'];
  /** null before the first reading. */
  readonly revision: () => number | null;
  readonly lagMs: () => number | null;
  readonly viewers: () => number;
  readonly loopDelay: LoopDelay;
  /** What this daemon has beside: its event streams, and when its history of numbers begins. */
  readonly more?: () => Pick<DaemonStatus, 'streams' | 'history_begins'>;
}

export function statusOf(sources: StatusSources): DaemonStatus {
  const { boot, loopDelay } = sources;
  const numbers = sources.numbers();
  const { rss, heapUsed, heapTotal, external } = process.memoryUsage();
  const lagMs = sources.lagMs();
  const { ready, waiting_for, reasons, degraded } = sources.readiness();
  return {
    version: VERSION,
    boot: boot.id,
    started_at: new Date(boot.startedAtMs).toISOString(),
    registry_revision: sources.revision(),
    registry_lag_ms: lagMs === null ? null : Math.round(lagMs),
    readiness: {
      ready,
      waiting_for: [...waiting_for],
      reasons: [...reasons],
      degraded: [...degraded],
    },
    mass_failure: numbers.extension_registry_mass_failure === 1,
    admission: {
      overloaded: numbers.extension_registry_overloaded === 1,
      queue_delay_ms: tenths(numbers.extension_registry_queue_delay_seconds * 1000),
      refused_share: Math.round(numbers.extension_registry_admission_refused_ratio * 1000) / 1000,
      refused_total: numbers.extension_registry_admission_refused_total,
    },
    extensions: sources.extensions(),
    in_flight: numbers.extension_registry_in_flight,
    owed: {
      replies: numbers.extension_registry_replies_owed,
      auto_changes: numbers.extension_registry_auto_changes_owed,
      verbs: numbers.extension_registry_verbs_owed,
      audit_facts: numbers.extension_registry_audit_facts_owed,
      webhooks: numbers.extension_registry_webhooks_waiting,
    },
    viewers: sources.viewers(),
    memory: { rss_bytes: rss, heap_used_bytes: heapUsed, heap_total_bytes: heapTotal, external_bytes: external },
    loop_delay: loopDelay.read(),
    ...sources.more?.(),
  };
}

/** null for NaN. */
const tenths = (ms: number): number | null => (Number.isNaN(ms) ? null : Math.round(ms * 10) / 10);
