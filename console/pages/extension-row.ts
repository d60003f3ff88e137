// An extension's row with its versions and instances, as `GET /admin/extensions/<id>?expand=versions,instances` has it.

interface Written {
  readonly revision: number;
  readonly in_force: boolean;
  readonly refused: { readonly since: string; readonly problems: readonly string[] } | null;
}

export interface VersionRow extends Written {
  readonly version: string;
  readonly subject: string;
  readonly timeout_ms: number;
  readonly retry: number;
  readonly enabled: boolean;
  readonly breaker_override: string | null;
  readonly routing_rules: Readonly<Record<string, unknown>>;
  readonly rollout_percent: number | null;
  readonly rollout_key: string | null;
  readonly circuit_breaker_state?: string;
}

export interface InstanceRow extends Written {
  readonly id: string;
  readonly version: string | null;
  readonly subject: string;
  readonly weight: number;
  readonly enabled: boolean;
  readonly health_status?: string;
  readonly in_flight?: number;
}

export interface ExtensionRow extends Written {
  readonly id: string;
  readonly type: string;
  readonly subject: string;
  readonly timeout_ms: number;
  readonly retry: number;
  readonly version: string;
  readonly enabled: boolean;
  readonly updated_at?: string;
  readonly updated_by?: string | null;
  /** `memory`: the database is away. */
  readonly from?: 'memory';
  readonly counts: { readonly versions: number; readonly instances: number };
  readonly versions: readonly VersionRow[];
  readonly instances: readonly InstanceRow[];
}
