// What the management routes of the admin API need of the daemon, as types; the roof hands it over.
import type { ReplayAnswer } from '../../domain/breaker/replay-answer.js';
import type { FleetAnswer } from '../../domain/fleet/fleet-answer.js';
import type { PolicyInForce } from '../../domain/registry/policy-in-force.js';
import type { DaemonStatus, LogLevelsShown, ReloadReport } from '../../domain/status-schema.js';
import type { LogLevelOrder } from '../../telemetry/log-control.js';
import type { ListAudit } from './audit.js';
import type { InstanceDesk } from './instances.js';
import type { InvokeExtension } from './invoke.js';

export interface ReloadOrder {
  /** A mass removal that is held happens. */
  readonly force: boolean;
  /** Needed with `force`. */
  readonly reason: string | null;
  readonly actor: string;
}

export type Reload = (
  order: ReloadOrder,
) => Promise<
  ({ readonly kind: 'reloaded' } & ReloadReport) | { readonly kind: 'database_unavailable'; readonly message: string }
>;

export interface SettingShown {
  readonly key: string;
  /** Secrets are masked. */
  readonly value: unknown;
  readonly origin: string;
}

/** By the name of a version or instance, each read when it is asked for; null: there is no such row in force. */
export interface Measured {
  version(name: string): { readonly circuit_breaker_state: string } | null;
  instance(id: string): { readonly health_status: string; readonly in_flight: number } | null;
}

export interface LogLevelDesk {
  read(): LogLevelsShown;
  set(order: LogLevelOrder, actor: string): void;
}

export type ReplayResult =
  | { readonly kind: 'replayed'; readonly answer: ReplayAnswer }
  | {
      readonly kind: 'extension_not_found' | 'invalid_request' | 'too_many_requests';
      readonly message: string;
    };

export interface ManagementDesk {
  /** The replicas, as this one hears them. */
  readonly fleet: () => FleetAnswer;
  /** null: nothing runs of the extension. */
  readonly measured: (extensionId: string) => Measured | null;
  readonly instances: InstanceDesk;
  readonly audit: ListAudit;
  /** null: nothing runs of the extension. */
  readonly policyInForce: (extensionId: string) => PolicyInForce | null;
  /** `policy`: as given, checked here; `since`: ISO 8601, null: all that is recorded. */
  readonly replay: (extensionId: string, policy: object, since: string | null) => Promise<ReplayResult>;
  readonly status: () => DaemonStatus;
  readonly settings: () => readonly SettingShown[];
  readonly reload: Reload;
  readonly logLevels: LogLevelDesk;
  readonly invoke: InvokeExtension;
}
