// The tokens as the daemon knows them: those of the database, read every second, or those of the last time, from a file.
//
// TOKEN-MEMORY-1. What is not known yet is nothing: until tokens were read once, no request that needs to know them is answered.
// TOKEN-MEMORY-2. While the database is away, what was known last holds. A database whose schema has no tokens has none, unless some were
//     known here, now or the last time: it is being restored then.
// TOKEN-MEMORY-3. A token is found by the hash of its text, and the hashes are then compared in constant time.
// TOKEN-MEMORY-4. What was signed in while no token was asked for ends when one is.
import { timingSafeEqual } from 'node:crypto';
import { OPEN_PRINCIPAL } from '../../domain/access/principal.js';
import { isExpired, type Token } from '../../domain/access/token.js';
import { tokenHash } from './token-text.js';

/** Where the tokens of the last time are. */
export interface TokenFile {
  /** null: there is none that can be read. */
  read(): readonly Token[] | null;
  write(tokens: readonly Token[]): void;
}

export class TokenMemory {
  #byHash: ReadonlyMap<string, Token> | null = null;
  #byId: ReadonlyMap<string, Token> = new Map();
  #hasTokens = false;
  #fingerprint = '';

  constructor(
    private readonly file: TokenFile,
    private readonly wall: () => number,
  ) {}

  get isKnown(): boolean {
    return this.#byHash !== null;
  }

  /** Of kind `token`, expired or not: a token that is there has closed the API. */
  get hasTokens(): boolean {
    return this.#hasTokens;
  }

  /** TOKEN-MEMORY-3. null: it is unknown or has expired. */
  find(text: string): Token | null {
    const hash = tokenHash(text);
    const token = this.#byHash?.get(hash);
    if (token === undefined || !this.#isGood(token)) return null;
    return timingSafeEqual(Buffer.from(token.hash), Buffer.from(hash)) ? token : null;
  }

  isValid(id: string): boolean {
    const token = this.#byId.get(id);
    return token !== undefined && this.#isGood(token);
  }

  /** As the database has them. True: they are others than before. */
  replace(tokens: readonly Token[] | null): boolean {
    if (tokens === null && (this.hasTokens || (!this.isKnown && this.#readTokens()))) return false;
    const now = tokens ?? [];
    const fingerprint = JSON.stringify(now.toSorted((a, b) => (a.id < b.id ? -1 : 1)));
    if (this.isKnown && fingerprint === this.#fingerprint) return false;
    this.#hold(now, fingerprint);
    this.file.write(now);
    return true;
  }

  /** TOKEN-MEMORY-2. Without effect if they are known. */
  readFile(): boolean {
    const known = this.isKnown ? null : this.file.read();
    if (known === null) return false;
    this.#hold(known, '');
    return true;
  }

  /** That one was revoked, before it is read. */
  forget(id: string): void {
    this.#hold(
      [...this.#byId.values()].filter((token) => token.id !== id),
      '',
    );
  }

  /** TOKEN-MEMORY-2. True: the file has tokens, which count now. */
  #readTokens(): boolean {
    const last = this.file.read();
    if (last === null || !last.some(({ kind }) => kind === 'token')) return false;
    this.#hold(last, '');
    return true;
  }

  #isGood(token: Token): boolean {
    const isOpenSignIn = token.kind === 'sign_in' && token.actor === OPEN_PRINCIPAL.actor;
    return !isExpired(token, this.wall()) && !(isOpenSignIn && this.#hasTokens);
  }

  #hold(tokens: readonly Token[], fingerprint: string): void {
    this.#byHash = new Map(tokens.map((token) => [token.hash, token]));
    this.#byId = new Map(tokens.map((token) => [token.id, token]));
    this.#hasTokens = tokens.some(({ kind }) => kind === 'token');
    this.#fingerprint = fingerprint;
  }
}
