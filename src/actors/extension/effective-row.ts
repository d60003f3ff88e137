// An extension's rows as they are in force: as the feed delivered them, over that what this daemon wrote and the feed has not
// delivered yet, over that what is pending while the database is away.
//
// EFFECTIVE-ROW-1. What was written here holds against what was read before it, and gives way to what was read after it.
// EFFECTIVE-ROW-2. What is pending stays in force, whatever the feed delivers, until it is settled.
import { LazyMap } from '../../domain/lazy-map.js';
import { type Extension, isSameRow, type Version } from '../../domain/registry/extension.js';
import { versionOf } from '../../domain/registry/extension-index.js';
import { afterVerb, type BreakerVerb, type Decision } from '../../domain/registry/verbs.js';

/** The switches of an extension's own row or of a version's row, as far as a write sets them. */
type Switches = Partial<
  Pick<Extension, 'enabled' | 'autoDisabled' | 'breakerOverride' | 'breakerResets' | 'switchedBy' | 'putBackId'>
> & { readonly revision: number };

interface Written {
  readonly switches: Switches;
  /** Of the row as the feed had delivered it when it was written. */
  readonly deliveredRevision: number;
  readonly uid: string | null;
}

/** A row of the extension: the name of a version, or null for its own. */
type RowName = string | null;

export class RowInForce {
  #delivered: Extension;
  readonly #written = new LazyMap<RowName, Written>();
  readonly #pending = new LazyMap<RowName, Decision<BreakerVerb>>();
  #extension: Extension;

  constructor(read: Extension) {
    this.#delivered = read;
    this.#extension = read;
  }

  get extension(): Extension {
    return this.#extension;
  }

  deliver(read: Extension): void {
    this.#delivered = read;
    // EFFECTIVE-ROW-1. A revision below the one delivered before is that of a row that was inserted again.
    for (const [name, { switches, deliveredRevision, uid }] of this.#written) {
      const row = rowOf(read, name);
      const isSame = row !== undefined && isSameRow(row, { uid });
      if (!isSame || row.revision < deliveredRevision || row.revision >= switches.revision) this.#written.delete(name);
    }
    // It was written, and the feed delivers it before the answer has come.
    for (const [name, { id }] of this.#pending) if (rowOf(read, name)?.putBackId === id) this.#pending.delete(name);
    this.#renew();
  }

  /** The registry's history is another one: what was written to the one before is not in it. */
  forgetWritten(): void {
    this.#written.clear();
  }

  /** False: the feed has delivered it, or something newer. */
  write(name: RowName, switches: Switches): boolean {
    const row = rowOf(this.#withoutPending(), name);
    if (row === undefined || switches.revision <= row.revision) return false;
    const before = this.#written.get(name);
    const deliveredRevision = before?.deliveredRevision ?? row.revision;
    this.#written.set(name, {
      switches: { ...before?.switches, ...switches },
      deliveredRevision,
      uid: row.uid ?? null,
    });
    this.#renew();
    return true;
  }

  addPending(name: RowName, decision: Decision<BreakerVerb>): void {
    this.#pending.set(name, decision);
    this.#renew();
  }

  /** What is pending for this row was written, or is superseded. */
  settle(name: RowName): void {
    if (this.#pending.delete(name)) this.#renew();
  }

  #withoutPending(): Extension {
    let extension = this.#delivered;
    for (const [name, { switches }] of this.#written) extension = withSwitches(extension, name, switches);
    return extension;
  }

  #renew(): void {
    let extension = this.#withoutPending();
    for (const [name, decision] of this.#pending) extension = afterVerb(extension, name, decision);
    this.#extension = extension;
  }
}

/** undefined: there is no such row. */
const rowOf = (extension: Extension, name: RowName): Extension | Version | undefined =>
  name === null ? extension : versionOf(extension, name);

function withSwitches(extension: Extension, name: RowName, switches: Switches): Extension {
  if (name === null) return { ...extension, ...switches };
  // Which actor switched it, and whether automatically, is kept for extensions only.
  const { autoDisabled: _, switchedBy: __, ...own } = switches;
  return { ...extension, versions: extension.versions.map((v) => (v.version === name ? { ...v, ...own } : v)) };
}
