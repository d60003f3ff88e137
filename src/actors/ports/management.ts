// What the management routes of the admin API need of the daemon, as types; the roof hands it over.
import type { InstanceDesk } from './instances.js';

export interface ManagementDesk {
  readonly instances: InstanceDesk;
}
