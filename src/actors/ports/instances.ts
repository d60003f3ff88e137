// Draining an instance and giving it calls again: what the admin API asks for, and what the database does. Types alone.

interface WeightOrder {
  readonly extensionId: string;
  readonly instanceId: string;
  readonly actor: string;
}

export interface DrainOrder extends WeightOrder {
  readonly reason: string;
}

export interface UndrainOrder extends WeightOrder {
  /** 1 to 100; null: that before the last drain, else 100. */
  readonly weight: number | null;
  readonly reason: string | null;
}

export type WeightAnswer =
  | {
      readonly kind: 'set';
      readonly weight: number;
      /** The same as `weight` if nothing was written. */
      readonly was: number;
      /** Of the row. */
      readonly revision: number;
      /** This daemon has the weight in force. */
      readonly inForce: boolean;
      /** Attempts of this daemon in flight to the instance's subject. */
      readonly inFlight: number;
    }
  | {
      readonly kind: 'extension_not_found' | 'instance_not_found' | 'database_unavailable';
      readonly message: string;
    };

export interface InstanceDesk {
  drain(order: DrainOrder): Promise<WeightAnswer>;
  undrain(order: UndrainOrder): Promise<WeightAnswer>;
}

export interface WeightCommand {
  /** A UUID, which its audit row gets: sent twice, it is done once. */
  readonly id: string;
  readonly extension_id: string;
  readonly instance_id: string;
  /** 0: it is drained. null: undrained, with the weight before its last drain, else 100. */
  readonly weight: number | null;
  readonly actor: string;
  readonly reason: string | null;
}

export type WeightResult =
  | {
      /** `unchanged`: it had that weight already, and nothing was written. */
      readonly kind: 'written' | 'unchanged';
      readonly weight: number;
      readonly was: number;
      readonly rowRevision: number;
      /** Of the registry, which has the weight from there on. */
      readonly revision: number;
    }
  | { readonly kind: 'extension_not_found' | 'instance_not_found' };

/** Like ApplyVerb: `remainingMs` says how long the caller still waits; rejects while the database is away. */
export type SetWeight = (command: WeightCommand, remainingMs: () => number) => Promise<WeightResult>;
