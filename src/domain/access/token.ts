// An access token, as it is kept: its text is not (actors/access/token-text.ts).
import type { Role } from './principal.js';

const NAME = /^[A-Za-z0-9_.@-]{1,64}$/;
export const MAX_TOKEN_DAYS = 3650;

export interface Token {
  readonly id: string;
  /** Unique among those of kind `token`. */
  readonly name: string;
  readonly role: Role;
  /** `sign_in`: of a page that was signed in with a code. */
  readonly kind: 'token' | 'sign_in';
  /** SHA256 of its text, in hexadecimal digits. */
  readonly hash: string;
  /** How the audit trail names it: `token:ada`, or for a sign-in what issued its code. */
  readonly actor: string;
  /** Epoch ms; null: never. */
  readonly expiresAtMs: number | null;
}

export const tokenNameProblem = (name: string): string | null =>
  NAME.test(name)
    ? null
    : `a token's name must be 1 to 64 of A-Z, a-z, 0-9, _, ., @ and -, got ${JSON.stringify(name.slice(0, 80))}`;

export const isExpired = ({ expiresAtMs }: Pick<Token, 'expiresAtMs'>, nowMs: number): boolean =>
  expiresAtMs !== null && expiresAtMs <= nowMs;
