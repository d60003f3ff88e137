// Who may do what, as the edges ask it, and where tokens are kept.
import type { Principal, Role } from '../../domain/access/principal.js';
import type { Token } from '../../domain/access/token.js';

type Admission =
  | { readonly kind: 'admitted'; readonly principal: Principal }
  | {
      readonly kind: 'unauthenticated' | 'too_many_requests' | 'database_unavailable';
      readonly message: string;
      /** The answer waits so long, ms. */
      readonly delayMs: number;
    };

/** `authorization`: the header as it came. `address`: of the peer; wrong tokens are counted by it. */
export type Admit = (authorization: string | undefined, address: string) => Admission;

/** A token as it is listed: without its hash. */
export interface TokenReport {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly created_by: string;
  /** ISO 8601. */
  readonly created_at: string;
  readonly expires_at: string | null;
  /** To the minute. */
  readonly last_used_at: string | null;
}

export interface NewToken {
  readonly name: string;
  readonly role: Role;
  readonly kind: Token['kind'];
  readonly hash: string;
  /** Of the token that asked for it; null: none did. */
  readonly parent: string | null;
  readonly createdBy: string;
  /** Epoch ms. */
  readonly expiresAtMs: number | null;
}

/** The tokens in the database. Each rejects while it is away. */
export interface TokenStore {
  /** Those of every kind; null: the schema has no tokens yet. */
  read(): Promise<readonly Token[] | null>;
  /** Those of kind `token`, in order of their names. */
  list(): Promise<readonly TokenReport[]>;
  /** null: there is a token of this name, or none of the parent's id. */
  create(token: NewToken): Promise<TokenReport | null>;
  /** With the sign-ins of it; false: there is none of this id. `reason` null: of a sign-in that ends itself. */
  revoke(id: string, who: { readonly actor: string; readonly reason: string | null }): Promise<boolean>;
  /** By id: epoch ms of the last use. */
  noteUses(uses: ReadonlyMap<string, number>): Promise<void>;
  /** Deletes sign-ins that have expired. */
  prune(): Promise<void>;
}

type Denied<Kind extends string> = { readonly kind: Kind; readonly message: string };

/** What the admin API does with tokens. */
export interface AccessDesk {
  readonly admit: Admit;
  /** Whether a token is asked for. */
  readonly isRequired: boolean;
  /** Of a principal that was admitted before: false once its token was revoked, or has expired. */
  isValid(principal: Principal): boolean;
  list(): Promise<readonly TokenReport[] | Denied<'database_unavailable'>>;
  /** `expiresInDays` null: never. `text` is shown once and not kept. */
  create(
    token: { readonly name: string; readonly role: Role; readonly expiresInDays: number | null },
    actor: string,
  ): Promise<
    | { readonly kind: 'created'; readonly text: string; readonly token: TokenReport }
    | Denied<'already_exists' | 'database_unavailable'>
  >;
  revoke(
    id: string,
    actor: string,
    reason: string,
  ): Promise<{ readonly kind: 'revoked' } | Denied<'token_not_found' | 'database_unavailable'>>;
  readonly signIn: SignInDesk;
}

/** Codes with which a page signs in, and tickets with which it opens a WebSocket. */
export interface SignInDesk {
  /** Of one use, for a minute: a page signs in with it. */
  code(principal: Principal, role: Role): { readonly code: string; readonly expiresAtMs: number };
  login(
    code: string,
    address: string,
  ): Promise<
    | { readonly kind: 'signed_in'; readonly text: string; readonly principal: Principal }
    | Denied<'unauthenticated' | 'too_many_requests' | 'database_unavailable'>
  >;
  /** Without effect for what is no sign-in. */
  logout(principal: Principal): Promise<{ readonly kind: 'signed_out' } | Denied<'database_unavailable'>>;
  /** Of one use, for half a minute: a WebSocket is opened with it, since a browser sends no header with one. */
  ticket(principal: Principal): { readonly ticket: string; readonly expiresAtMs: number };
  /** null: it is unknown, used or too old. */
  takeTicket(ticket: string, address: string): Principal | null;
}
