// Access as it is on loopback without tokens, and tokens without a database.
import { randomUUID } from 'node:crypto';
import type { AccessDesk, NewToken, TokenStore } from '../../src/actors/ports/access.js';
import { OPEN_PRINCIPAL } from '../../src/domain/access/principal.js';
import type { Token } from '../../src/domain/access/token.js';

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

/** A table of tokens that can be away, and the file of a data directory. */
export class MemoryTokens implements TokenStore {
  tokens: Token[] | null = [];
  file: readonly Token[] | null = null;
  isAway = false;
  /** Answers nothing. */
  isHanging = false;
  uses: ReadonlyMap<string, number>[] = [];
  revoked: object[] = [];

  async read() {
    await this.#reach();
    return this.tokens === null ? null : [...this.tokens];
  }
  async list() {
    await this.#reach();
    return [];
  }
  async create({ name, role, kind, hash, createdBy, expiresAtMs }: NewToken) {
    await this.#reach();
    if (kind === 'token' && this.tokens?.some((one) => one.kind === 'token' && one.name === name)) return null;
    const id = randomUUID();
    const actor = kind === 'token' ? `token:${name}` : createdBy;
    this.tokens = [...(this.tokens ?? []), { id, name, role, kind, hash, actor, expiresAtMs }];
    return { id, name, role, created_by: createdBy, created_at: '', expires_at: null, last_used_at: null };
  }
  async revoke(id: string, who: object) {
    await this.#reach();
    const before = this.tokens?.length ?? 0;
    this.tokens = (this.tokens ?? []).filter((token) => token.id !== id);
    this.revoked.push(who);
    return this.tokens.length < before;
  }
  async noteUses(uses: ReadonlyMap<string, number>) {
    await this.#reach();
    this.uses.push(uses);
  }
  async prune() {
    await this.#reach();
  }
  async #reach(): Promise<void> {
    if (this.isHanging) await new Promise<never>(() => undefined);
    if (this.isAway) throw new Error('the database is away');
  }
}
