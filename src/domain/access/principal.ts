// Who a request is from, what that allows, and how the audit trail names it.

/** From the weakest on; each contains those before it. */
export const ROLES = ['viewer', 'operator', 'admin'] as const;
export type Role = (typeof ROLES)[number];

export const allows = (role: Role, needed: Role): boolean => ROLES.indexOf(role) >= ROLES.indexOf(needed);

export interface Principal {
  /** `open`: no token is asked for. `local`: a command beside the daemon. `sign_in`: a page that was signed in with a code. */
  readonly kind: 'open' | 'local' | 'token' | 'sign_in';
  /** Of the token; of the user of the system for `local`; empty for `open`. */
  readonly name: string;
  readonly role: Role;
  /** In the audit trail. */
  readonly actor: string;
  /** Of the token; null: there is none in the database. */
  readonly tokenId: string | null;
  /** Epoch ms; null: never. */
  readonly expiresAtMs: number | null;
}

/** Where no token is asked for. */
export const OPEN_PRINCIPAL: Principal = {
  kind: 'open',
  name: '',
  role: 'admin',
  actor: 'admin',
  tokenId: null,
  expiresAtMs: null,
};

/** `by`: who the client says it acts for; absent: nothing is said. */
export function actorOf({ kind, actor }: Principal, by: string | undefined): string {
  if (by === undefined) return actor;
  return `${actor}${kind === 'open' ? ':' : '/'}${by}`;
}
