// Access as it is on loopback without tokens.
import type { AccessDesk } from '../../src/actors/ports/access.js';
import { OPEN_PRINCIPAL } from '../../src/domain/access/principal.js';

const none = async () => ({ kind: 'database_unavailable', message: 'none' }) as const;

export const openAccess: AccessDesk = {
  admit: () => ({ kind: 'admitted', principal: OPEN_PRINCIPAL }),
  isRequired: false,
  isValid: () => true,
  list: none,
  create: none,
  revoke: none,
  signIn: {
    code: () => ({ code: 'c', expiresAtMs: 0 }),
    login: none,
    logout: none,
    ticket: () => ({ ticket: 't', expiresAtMs: 0 }),
    takeTicket: () => null,
  },
};
