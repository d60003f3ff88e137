// The core over a registry of one extension, which does to its rows and its trail what the database does (db/queries/verb-queries.ts,
// db/queries/auto-queries.ts): verbs by their ids, void ones, automatic changes bound to a revision. The test tells it by the feed.
import type { VerbAnswer } from '../../src/actors/ports/api.js';
import type { VerbCommand, VerbResult, WrittenRow } from '../../src/actors/ports/storage.js';
import { AUTO_MANAGER } from '../../src/domain/registry/auto-management.js';
import type { BreakerOverride } from '../../src/domain/registry/extension.js';
import type { ExtensionRow, RegistryEntry, VersionRow } from '../../src/domain/registry/registry-rows.js';
import { OVERRIDE_AFTER, type Verb } from '../../src/domain/registry/verbs.js';
import { ActorWorld } from './actor-world.js';
import { changesOf, extensionRow, registryEntry, snapshotOf } from './registry-rows.js';

/** A decision in the trail. */
interface Entry {
  readonly id: string;
  readonly revision: number;
  readonly by: string;
  readonly verb: string;
}

export class RegistryWorld extends ActorWorld {
  row: ExtensionRow;
  versions: VersionRow[];
  revision = 1;
  readonly trail: Entry[] = [];
  /** What the database is asked waits for this. */
  gate: Promise<void> = Promise.resolve();
  #others = 0;

  constructor(row: Partial<ExtensionRow> = {}, versions: VersionRow[] = []) {
    super();
    this.row = extensionRow('a', row);
    this.versions = versions;
    this.verb = async (command, remainingMs) => {
      await this.gate;
      if (remainingMs() <= 0) throw new Error('too late');
      return this.write(command);
    };
    this.autoChange = async ({ change, revision }) => {
      await this.gate;
      if (revision !== this.row.revision) return { applied: false };
      const isOff = change === 'auto_disable';
      this.change({ enabled: !isOff, auto_disabled: isOff, switched_by: AUTO_MANAGER, put_back: null });
      return { applied: true, revision: this.row.revision };
    };
    this.feed$.next(snapshotOf(1, this.entry()));
  }

  /** The database hangs until the returned function is called. */
  hang(): () => void {
    let release: () => void = () => {};
    this.gate = new Promise((resolve) => {
      release = () => {
        this.gate = Promise.resolve();
        resolve();
      };
    });
    return () => release();
  }

  entry(): RegistryEntry {
    return registryEntry(this.row, { versions: this.versions });
  }

  /** A change of the row that is nobody's decision; the feed has yet to tell it. */
  change(columns: Partial<ExtensionRow>): void {
    this.revision++;
    this.row = { ...this.row, ...columns, revision: this.row.revision + 1 };
  }

  tell(entry = this.entry(), revision = this.revision): void {
    this.feed$.next(changesOf(revision, [entry]));
  }

  /** A verb of this daemon's operator. */
  say(verb: Verb, version: string | null = null): Promise<VerbAnswer> {
    return this.core.operator.execute({ extensionId: 'a', version, verb, reason: 'because', actor: 'admin:ada' });
  }

  /** A verb of somebody else, written; the feed has yet to tell it. */
  elsewhere(verb: Verb, version: string | null = null): void {
    this.write({ id: `other-${++this.#others}`, verb, version, actor: 'admin:bob', decidedEarlier: null });
  }

  write(command: Omit<VerbCommand, 'extension_id' | 'reason'>): VerbResult {
    const { id, version, verb, actor, decidedEarlier } = command;
    const own = this.versions.find((v) => v.version === version);
    if (version !== null && own === undefined) return { kind: 'version_not_found', isOwnRow: false };
    if (this.trail.some((entry) => entry.id === id)) return this.#applied(version, own);
    const since = this.trail.findLast(
      (entry) =>
        decidedEarlier !== null && entry.revision > decidedEarlier.revision && !decidedEarlier.after.includes(entry.id),
    );
    if (since !== undefined) return { kind: 'void', action: since.verb, by: since.by };

    const { row } = this;
    const before = own ?? row;
    const wasAuto = own === undefined && row.auto_disabled;
    const after = {
      enabled: verb === 'enable' || (verb === 'reset' && wasAuto) ? true : verb === 'disable' ? false : before.enabled,
      breaker_override: verb in OVERRIDE_AFTER ? OVERRIDE_AFTER[verb as 'isolate'] : before.breaker_override,
      breaker_resets: before.breaker_resets + (verb === 'reset' ? 1 : 0),
      put_back:
        verb === 'enable' || verb === 'reset'
          ? ({ id, to: 'closed', ago_ms: 0 } as const)
          : verb === 'disable' && own === undefined
            ? null
            : before.put_back,
      revision: before.revision + 1,
    };
    this.revision++;
    this.trail.push({ id, revision: this.revision, by: actor, verb });
    if (own !== undefined) this.versions = this.versions.map((v) => (v === own ? { ...v, ...after } : v));
    else {
      const isSwitch = ['enable', 'disable', 'reset'].includes(verb);
      this.row = { ...row, ...after, ...(isSwitch ? { auto_disabled: false, switched_by: actor } : {}) };
    }
    return this.#applied(
      version,
      this.versions.find((v) => v.version === version),
    );
  }

  fail(times: number): void {
    for (let i = 0; i < times; i++) this.callEnding('a', 500);
  }

  get state() {
    return this.core.view.one('a')?.health.circuit_breaker_state;
  }

  stateOf(version: string) {
    return this.core.view.one('a')?.versions?.find((v) => v.version === version)?.circuit_breaker_state;
  }

  #applied(version: string | null, own: VersionRow | undefined): VerbResult {
    const { enabled, breaker_override, breaker_resets, revision } = own ?? this.row;
    const row: WrittenRow = {
      enabled: enabled ?? true,
      autoDisabled: this.row.auto_disabled,
      breakerOverride: breaker_override as BreakerOverride | null,
      breakerResets: breaker_resets,
      revision,
    };
    return { kind: 'applied', version, row };
  }
}
