// Who may use the admin API: over HTTP and over NATS.
//
// ACCESS-1. No token is asked for on loopback as long as there is none; as soon as one exists anywhere, each daemon asks within two seconds.
//     Beyond loopback, and with `http_auth: required`, one is always asked for.
// ACCESS-2. While tokens are not known, because the database was not reached yet, requests are refused: what is not known is not open. The
//     tokens of the last time, from their file, count if the database is still away after FILE_AFTER_MS.
// ACCESS-3. The token of this process, which only its own user can read, always serves: a command beside the daemon needs no other.
// ACCESS-4. What is revoked or expires ends for requests immediately where it was revoked, within two seconds elsewhere.
// ACCESS-5. A database that does not answer is away after five seconds.
import { timingSafeEqual } from 'node:crypto';
import { OPEN_PRINCIPAL, type Principal } from '../../domain/access/principal.js';
import type { Token } from '../../domain/access/token.js';
import { answerWithin } from '../../telemetry/deadline.js';
import { guarded, unawaited } from '../../telemetry/guard.js';
import type { Logger } from '../../telemetry/log.js';
import type { AccessDesk, Admit, NewToken, TokenReport, TokenStore } from '../ports/access.js';
import type { Clock, WallClock } from '../ports/clock.js';
import { SignIn } from './sign-in.js';
import { type TokenFile, TokenMemory } from './token-memory.js';
import { TOKEN_BYTES, tokenHash, tokenText } from './token-text.js';
import { WrongTries } from './wrong-tries.js';

const READ_MS = 1000;
const PRUNE_MS = 3_600_000;
const NOTE_USES_MS = 60_000;
const FILE_AFTER_MS = 10_000;
const DAY_MS = 86_400_000;
/** ACCESS-5. */
const ANSWER_MS = 5000;
const MAYBE_WRITTEN = '; it may have been written';
/** How long a wrong one waits for its answer once there were too many. */
const WRONG_DELAY_MS = 250;

interface AccessDeps {
  readonly store: TokenStore;
  readonly file: TokenFile;
  /** False: no token is asked for as long as there is none. */
  readonly alwaysRequired: boolean;
  /** ACCESS-3. */
  readonly local: { readonly text: string; readonly user: string };
  readonly clock: Clock;
  readonly wall: WallClock;
  readonly randomBytes: (count: number) => Buffer;
  readonly log: Logger;
}

export class Access implements AccessDesk {
  readonly #memory: TokenMemory;
  readonly #wrong: WrongTries;
  readonly signIn: SignIn;
  readonly #local: Principal;
  readonly #uses = new Map<string, number>();
  readonly #startedMs: number;
  /** Of readings: one that began before another that was applied says nothing new. */
  #begun = 0;
  #applied = 0;
  #isReading = false;
  #lastPruneMs = Number.NEGATIVE_INFINITY;
  #lastUsesMs = Number.NEGATIVE_INFINITY;
  #timer: unknown = null;
  readonly #listeners: (() => void)[] = [];
  #announceKnown: () => void = () => undefined;
  /** Resolves when tokens are known: from the database, or from the file. */
  readonly known = new Promise<void>((resolve) => {
    this.#announceKnown = resolve;
  });

  constructor(private readonly deps: AccessDeps) {
    const { file, wall, randomBytes, clock, local } = deps;
    this.#memory = new TokenMemory(file, wall);
    this.#wrong = new WrongTries(() => clock.now());
    this.signIn = new SignIn(this, { store: deps.store, clock, wall, randomBytes });
    const { user } = local;
    this.#local = {
      kind: 'local',
      name: user,
      role: 'admin',
      actor: `local:${user}`,
      tokenId: null,
      expiresAtMs: null,
    };
    this.#startedMs = clock.now();
  }

  /** Called when tokens are asked for from then on, or are not any more. */
  onChanged(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Reads tokens from now on, every second. */
  start(): void {
    const { clock, log } = this.deps;
    unawaited(log, 'reading access tokens', this.#tend());
    this.#timer = clock.setTimeout(() => this.start(), READ_MS);
  }

  stop(): void {
    if (this.#timer !== null) this.deps.clock.clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** Reads them now: after SIGHUP. Rejects while the database is away. */
  reload(): Promise<void> {
    return this.#read();
  }

  get isKnown(): boolean {
    return this.#memory.isKnown;
  }

  get hasTokens(): boolean {
    return this.#memory.hasTokens;
  }

  /** ACCESS-1. */
  get isRequired(): boolean {
    return this.deps.alwaysRequired || this.#memory.hasTokens;
  }

  readonly admit: Admit = (authorization, address) => {
    const text = bearerOf(authorization);
    if (text !== null && this.#isLocal(text)) return { kind: 'admitted', principal: this.#local };
    // ACCESS-2.
    if (!this.#memory.isKnown)
      return {
        kind: 'database_unavailable',
        message:
          'access tokens are in the database, which was not reached since the start; commands beside the daemon need none',
        delayMs: 0,
      };
    if (!this.isRequired) return { kind: 'admitted', principal: OPEN_PRINCIPAL };
    if (text === null) return { kind: 'unauthenticated', message: noToken(authorization), delayMs: 0 };
    const token = this.#memory.find(text);
    if (token !== null) {
      this.#uses.set(token.id, this.deps.wall());
      return { kind: 'admitted', principal: principalOf(token) };
    }
    return this.refuseWrong(address, 'the token is unknown, expired or revoked; ask an administrator for another');
  };

  isValid({ kind, tokenId }: Principal): boolean {
    if (kind === 'open') return !this.isRequired;
    return tokenId === null || this.#memory.isValid(tokenId);
  }

  list(): ReturnType<AccessDesk['list']> {
    return this.stored(() => this.deps.store.list(), '');
  }

  create(
    { name, role, expiresInDays }: Parameters<AccessDesk['create']>[0],
    actor: string,
  ): ReturnType<AccessDesk['create']> {
    const expiresAtMs = expiresInDays === null ? null : this.deps.wall() + expiresInDays * DAY_MS;
    return this.stored(async () => {
      const made = await this.make({ name, role, kind: 'token', parent: null, createdBy: actor, expiresAtMs });
      return made === null
        ? {
            kind: 'already_exists' as const,
            message: `there is a token named '${name}'; revoke it, or take another name`,
          }
        : { kind: 'created' as const, ...made };
    });
  }

  revoke(id: string, actor: string, reason: string): ReturnType<AccessDesk['revoke']> {
    return this.stored(async () => {
      const isRevoked = await this.deps.store.revoke(id, { actor, reason });
      this.#memory.forget(id);
      await this.refresh();
      return isRevoked
        ? { kind: 'revoked' as const }
        : { kind: 'token_not_found' as const, message: `no token has the id '${id}'; GET /admin/tokens lists them` };
    });
  }

  /** What one that is wrong is answered. */
  refuseWrong(address: string, message: string) {
    return this.#wrong.isTooMany(address)
      ? {
          kind: 'too_many_requests' as const,
          message: 'too many wrong tokens or codes came from this address; wait a minute, a right one passes',
          delayMs: WRONG_DELAY_MS,
        }
      : { kind: 'unauthenticated' as const, message, delayMs: 0 };
  }

  /** After a change that is written: one that cannot be read yet is read within a second of its return. */
  async refresh(): Promise<void> {
    await this.#read().catch((error: Error) => {
      this.deps.log.warn({ event: 'tokens_not_read', error: error.message });
    });
  }

  /** null: there is a token of this name, or its parent was revoked. Rejects while the database is away. */
  async make(token: Omit<NewToken, 'hash'>): Promise<{ readonly text: string; readonly token: TokenReport } | null> {
    const text = tokenText(this.deps.randomBytes(TOKEN_BYTES));
    const made = await this.deps.store.create({ ...token, hash: tokenHash(text) });
    await this.refresh();
    return made === null ? null : { text, token: made };
  }

  #isLocal(text: string): boolean {
    const [given, own] = [Buffer.from(text), Buffer.from(this.deps.local.text)];
    return given.length === own.length && timingSafeEqual(given, own);
  }

  /** ACCESS-5. What needs the database, or that it is away. */
  async stored<T>(
    work: () => Promise<T>,
    moreover = MAYBE_WRITTEN,
  ): Promise<T | { kind: 'database_unavailable'; message: string }> {
    try {
      return await answerWithin(ANSWER_MS, work(), this.deps.clock, moreover);
    } catch (error) {
      this.deps.log.warn({ event: 'tokens_unavailable', error: (error as Error).message });
      return {
        kind: 'database_unavailable',
        message: `access tokens are in the database: ${(error as Error).message}`,
      };
    }
  }

  /** What is done every second; each step for itself. */
  async #tend(): Promise<void> {
    if (this.#isReading) return;
    this.#isReading = true;
    try {
      await this.#read();
      await this.#sometimes().catch((error: Error) => {
        this.deps.log.warn({ event: 'tokens_not_tended', error: error.message });
      });
    } catch (error) {
      this.deps.log.debug({ event: 'tokens_not_read', error: (error as Error).message });
      if (this.deps.clock.now() - this.#startedMs >= FILE_AFTER_MS && this.#memory.readFile())
        this.#becameKnown('file');
    } finally {
      this.#isReading = false;
    }
  }

  async #read(): Promise<void> {
    const number = ++this.#begun;
    const tokens = await this.deps.store.read();
    if (number < this.#applied) return;
    this.#applied = number;
    const before = this.isRequired;
    const wasKnown = this.#memory.isKnown;
    this.#memory.replace(tokens);
    if (!wasKnown) return this.#becameKnown('database');
    if (before !== this.isRequired) this.#changed({});
  }

  #changed(more: object): void {
    const { log } = this.deps;
    log.info({ event: 'access', token_required: this.isRequired, ...more });
    for (const listener of this.#listeners) guarded(log, 'a change of access', listener)();
  }

  #becameKnown(from: 'database' | 'file'): void {
    this.#changed({ tokens_from: from });
    this.#announceKnown();
  }

  async #sometimes(): Promise<void> {
    const nowMs = this.deps.clock.now();
    if (nowMs - this.#lastPruneMs >= PRUNE_MS) {
      await this.deps.store.prune();
      this.#lastPruneMs = nowMs;
    }
    if (this.#uses.size > 0 && nowMs - this.#lastUsesMs >= NOTE_USES_MS) {
      const uses = new Map(this.#uses);
      await this.deps.store.noteUses(uses);
      this.#lastUsesMs = nowMs;
      for (const [id, atMs] of uses) if (this.#uses.get(id) === atMs) this.#uses.delete(id);
    }
  }
}

const principalOf = ({ id, kind, name, role, actor, expiresAtMs }: Token): Principal => ({
  kind,
  name,
  role,
  actor,
  tokenId: id,
  expiresAtMs,
});

/** RFC 6750: the scheme in any case, one token. */
const bearerOf = (authorization: string | undefined): string | null =>
  /^bearer +(\S+) *$/i.exec(authorization ?? '')?.[1] ?? null;

const noToken = (authorization: string | undefined): string =>
  authorization === undefined
    ? "a token is needed: Authorization: Bearer <token>; 'extreg token create' makes one"
    : 'Authorization must be Bearer and one token';
