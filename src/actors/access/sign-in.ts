// Signing in with a code instead of a token, and tickets for WebSockets.
//
// SIGN-IN-1. A code that was not used because the database was away is not used up.
// SIGN-IN-2. A sign-in is never above the role of the code, and ends with what asked for the code, revoked or expired.
import type { Principal, Role } from '../../domain/access/principal.js';
import type { NewToken, SignInDesk, TokenReport, TokenStore } from '../ports/access.js';
import type { Clock, WallClock } from '../ports/clock.js';
import { OneTimeCodes } from './one-time-codes.js';

const CODE_MS = 60_000;
const TICKET_MS = 30_000;
const SIGN_IN_MS = 12 * 3_600_000;

/** What it needs of the tokens. */
interface Tokens {
  isValid(principal: Principal): boolean;
  make(token: Omit<NewToken, 'hash'>): Promise<{ readonly text: string; readonly token: TokenReport } | null>;
  /** Reads them again, if that can be. */
  refresh(): Promise<void>;
  stored<T>(work: () => Promise<T>): Promise<T | { kind: 'database_unavailable'; message: string }>;
  refuseWrong(
    address: string,
    message: string,
  ): { readonly kind: 'unauthenticated' | 'too_many_requests'; readonly message: string; readonly delayMs: number };
}

interface SignInDeps {
  readonly store: TokenStore;
  readonly clock: Clock;
  readonly wall: WallClock;
  readonly randomBytes: (count: number) => Buffer;
}

export class SignIn implements SignInDesk {
  readonly #codes: OneTimeCodes<{ readonly principal: Principal; readonly role: Role }>;
  readonly #tickets: OneTimeCodes<Principal>;

  constructor(
    private readonly tokens: Tokens,
    private readonly deps: SignInDeps,
  ) {
    const { wall, randomBytes } = deps;
    this.#codes = new OneTimeCodes(CODE_MS, wall, randomBytes);
    this.#tickets = new OneTimeCodes(TICKET_MS, wall, randomBytes);
  }

  code(principal: Principal, role: Role): ReturnType<SignInDesk['code']> {
    return this.#codes.issue({ principal, role });
  }

  async login(code: string, address: string): ReturnType<SignInDesk['login']> {
    const taken = this.#codes.take(code);
    // Of a token that was revoked since.
    if (taken === null || !this.tokens.isValid(taken.value.principal)) {
      const wrong = this.tokens.refuseWrong(address, 'the code is unknown, used, or older than a minute');
      const { kind, message, delayMs } = wrong;
      if (delayMs > 0) await new Promise<void>((resolve) => this.deps.clock.setTimeout(() => resolve(), delayMs));
      return { kind, message };
    }
    const { principal, role } = taken.value;
    const answer = await this.tokens.stored(() => this.#signIn(principal, role));
    // SIGN-IN-1.
    if (answer.kind === 'database_unavailable') taken.putBack();
    return answer;
  }

  /** SIGN-IN-2. */
  async #signIn({ name, actor, tokenId: parent, expiresAtMs: endsMs }: Principal, role: Role) {
    const expiresAtMs = Math.min(this.deps.wall() + SIGN_IN_MS, endsMs ?? Number.POSITIVE_INFINITY);
    const named = name === '' ? 'console' : name;
    const made = await this.tokens.make({ name: named, role, kind: 'sign_in', parent, createdBy: actor, expiresAtMs });
    if (made === null)
      return { kind: 'unauthenticated', message: 'the token that asked for the code was revoked meanwhile' } as const;
    const principal = { kind: 'sign_in', name: named, role, actor, tokenId: made.token.id, expiresAtMs } as const;
    return { kind: 'signed_in', text: made.text, principal } as const;
  }

  async logout({ kind, tokenId, actor }: Principal): ReturnType<SignInDesk['logout']> {
    if (kind !== 'sign_in' || tokenId === null) return { kind: 'signed_out' };
    return this.tokens.stored(async () => {
      await this.deps.store.revoke(tokenId, { actor, reason: null });
      await this.tokens.refresh();
      return { kind: 'signed_out' as const };
    });
  }

  ticket(principal: Principal): ReturnType<SignInDesk['ticket']> {
    const { code, expiresAtMs } = this.#tickets.issue(principal);
    return { ticket: code, expiresAtMs };
  }

  takeTicket(ticket: string, address: string): Principal | null {
    const taken = this.#tickets.take(ticket)?.value ?? null;
    if (taken !== null && this.tokens.isValid(taken)) return taken;
    this.tokens.refuseWrong(address, '');
    return null;
  }
}
