// What the management routes of the admin API need of the daemon, as types; the roof hands it over.
import type { PolicyInForce } from '../../domain/registry/policy-in-force.js';
import type { ListAudit } from './audit.js';
import type { InstanceDesk } from './instances.js';

export interface ManagementDesk {
  readonly instances: InstanceDesk;
  /** null: nothing runs of the extension. */
  readonly audit: ListAudit;
  readonly policyInForce: (extensionId: string) => PolicyInForce | null;
}
