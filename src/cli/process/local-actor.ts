// Who a command that writes to the database itself is in the audit trail.
import { userName } from '../../daemon/user-name.js';

export const localActor = (): string => `local:${userName()}`;
