// Rows of the registry, from the admin API to the database and back.
//
// ROWS-1. A row is changed only in the revision that the operator saw, unless any is allowed. What came in between is reported, with who did it.
// ROWS-2. A change that is written is answered when this daemon has it in force, for a limited time (in-force.ts); the row says whether it has.
// ROWS-3. A row is what the database says; whether it is in force is what this daemon does. Nothing measured is in it, so its revision
//     stands for it as a whole.
// ROWS-4. Of an extension that was disabled automatically, `enabled` is an operator's decision in a PATCH, or beside `auto_disabled: false`. A row
//     that is read and written back decides nothing.
// ROWS-5. Of a row that is refused, the last valid one is shown beside it: that is what is in force.
// ROWS-6. While the database is away, rows are read from memory, and say so; they have no ETag, since nothing can be changed.
import type { Json, JsonMap } from '../../domain/exact-json.js';
import { mapped } from '../../domain/json-parts.js';
import type { Extension } from '../../domain/registry/extension.js';
import { instanceOf, versionOf } from '../../domain/registry/extension-index.js';
import type { Refusal } from '../../domain/registry/refused-row.js';
import type { SubjectRules } from '../../domain/registry/subject-rules.js';
import { compareVersions } from '../../domain/registry/version-choice.js';
import { byName } from '../../domain/registry-file/registry-file.js';
import { keyOf, type Named, type RowChange, type StoredRow } from '../../domain/registry-file/registry-file-diff.js';
import { type EditProblem, editRow } from '../../domain/registry-file/row-edit.js';
import { answerWithin } from '../../telemetry/deadline.js';
import type { Logger } from '../../telemetry/log.js';
import type { RowAnswer, RowDesk, RowOrder } from '../ports/api.js';
import type { Clock } from '../ports/clock.js';
import type { ReadFallbackRows, ReadRowChange, ReadRows, StoredRows, WriteRow } from '../ports/storage.js';
import type { InForce } from './in-force.js';
import { reservedProblem } from './reserved-names.js';
import { decidedOver, writable } from './row-decisions.js';
import { type RowInMemory, rowInMemory, rowsInMemory } from './row-in-memory.js';

/** With `any` revision allowed: another operator may come in between each time. */
const ATTEMPTS = 3;
/** How long the database may take for one step. */
const ANSWER_MS = 5000;

interface RowsDeps {
  readonly read: ReadRows;
  readonly readFallbacks: ReadFallbackRows;
  readonly readChange: ReadRowChange;
  readonly write: WriteRow;
  readonly inForce: InForce;
  readonly registry: {
    readonly runtimes: ReadonlyMap<string, { readonly extension: Extension }>;
    readonly refusedRows: (extensionId: string) => Iterable<Refusal>;
  };
  readonly rules: SubjectRules;
  readonly clock: Clock;
  readonly log: Logger;
}

export class Rows implements RowDesk {
  readonly #database: Pick<RowsDeps, 'read' | 'readFallbacks' | 'readChange' | 'write'>;

  constructor(private readonly deps: RowsDeps) {
    const inTime = <T>(work: Promise<T>, moreover = ''): Promise<T> =>
      answerWithin(ANSWER_MS, work, deps.clock, moreover);
    this.#database = {
      read: (id) => inTime(deps.read(id)),
      readFallbacks: () => inTime(deps.readFallbacks()),
      readChange: (row, revision) => inTime(deps.readChange(row, revision)),
      write: (change, who) => inTime(deps.write(change, who), '; it may have been written'),
    };
  }

  async read(row: Named): Promise<RowAnswer> {
    const answer = await this.#withDatabase(async () => {
      const stored = await this.#database.read(row.extensionId);
      const found = stored === null ? undefined : rowIn(stored, row);
      return stored === null || found === undefined ? notFound(row, stored) : this.#rowAnswer(found, stored, false);
    });
    const inMemory = answer.kind === 'database_unavailable' ? this.#inMemory(row) : undefined;
    if (inMemory === undefined) return answer;
    const { revision } = inMemory;
    return { kind: 'row', row: this.#fromMemory(inMemory), revision, created: false, isFromMemory: true };
  }

  async list(extensionId: string, kind: 'version' | 'instance'): ReturnType<RowDesk['list']> {
    const answer = await this.#withDatabase(async () => {
      const stored = await this.#database.read(extensionId);
      if (stored === null) return { kind: 'extension_not_found', message: `no extension '${extensionId}'` };
      const own = stored.rows.filter((row) => row.kind === kind);
      const inOrder =
        kind === 'version' ? own.toSorted((a, b) => compareVersions(a.name, b.name)) : own.toSorted(byName);
      const refusals = this.#refusals(extensionId);
      return { kind: 'rows', rows: mapped(inOrder, (row) => this.#shown(row, stored, refusals)) } as const;
    });
    const extension = this.#extension(extensionId);
    if (answer.kind !== 'database_unavailable' || extension === undefined) return answer as never;
    const own = rowsInMemory(extension).filter((row) => row.kind === kind);
    const refusals = this.#refusals(extensionId);
    return { kind: 'rows', rows: mapped(own, (row) => this.#fromMemory(row, refusals)) };
  }

  async edit(order: RowOrder): Promise<RowAnswer> {
    return this.#withDatabase(async () => {
      for (let attempt = 1; ; attempt++) {
        const answer = await this.#tryEdit(order);
        if (answer !== 'conflict') return answer;
        const mayGoOn = order.expects === 'any' || order.how === 'create';
        if (!mayGoOn || attempt === ATTEMPTS)
          return this.#conflict(order, await this.#database.read(order.extensionId));
      }
    });
  }

  async #tryEdit(order: RowOrder): Promise<RowAnswer | 'conflict'> {
    const stored = await this.#database.read(order.extensionId);
    if (stored === null && order.kind !== 'extension') return notFound(order, stored);
    const before = stored === null ? undefined : rowIn(stored, order);
    const refusal = await this.#refusal(order, before, stored);
    if (refusal !== null) return refusal;
    const change = await this.#changeOf(order, before, stored);
    if ('kind' in change && change.kind === 'row_invalid') return change;
    const { change: wanted } = change as { readonly change: RowChange | null };
    if (wanted !== null) {
      const written = await this.#database.write(wanted, order);
      if (written.kind === 'conflict') return 'conflict';
      const { kind, extensionId, name, how, actor, reason } = order;
      this.deps.log.info({ event: 'row_written', kind, extension_id: extensionId, name, how, actor, reason });
      await this.deps.inForce.reached(written.revision);
    }
    if (order.how === 'delete') return { kind: 'deleted' };
    const after = await this.#database.read(order.extensionId);
    const row = after === null ? undefined : rowIn(after, order);
    // Another operator deleted it meanwhile.
    return after === null || row === undefined
      ? notFound(order, after)
      : this.#rowAnswer(row, after, before === undefined);
  }

  /** ROWS-1. Why it is not even tried; null: it is. */
  async #refusal(order: RowOrder, before: StoredRow | undefined, stored: StoredRows | null): Promise<RowAnswer | null> {
    const { how, expects } = order;
    if (before === undefined)
      return how === 'create' || (how === 'replace' && expects === 'nothing') ? null : notFound(order, stored);
    if (how === 'create') return { kind: 'already_exists', message: `${nameOf(order)} exists already` };
    if (expects !== 'any' && expects !== before.revision) return this.#conflict(order, stored);
    const isOther = order.revisionInBody !== null && order.revisionInBody !== before.revision;
    return isOther ? this.#conflict(order, stored, 'body') : null;
  }

  async #changeOf(
    order: RowOrder,
    before: StoredRow | undefined,
    stored: StoredRows | null,
  ): Promise<{ readonly change: RowChange | null } | (RowAnswer & { kind: 'row_invalid' })> {
    const { kind, extensionId, name, how } = order;
    if (how === 'delete') {
      const revision = before?.revision ?? 0;
      return { change: { action: 'delete', kind, extensionId, name, revision } };
    }
    const isOwnDisable = stored?.own.auto_disabled === true && kind === 'extension';
    const others = (await this.#database.readFallbacks()).filter((row) => row.extensionId !== extensionId);
    const { fields, rows } = isOwnDisable
      ? decidedOver(order, stored.rows)
      : { fields: order.fields, rows: stored?.rows ?? [] };
    const edit = { kind, extensionId, name, how, fields: writable(kind, fields) };
    const result = editRow([...rows, ...others], edit, this.deps.rules);
    // One that is there already, by SQL, may be changed.
    const reserved = before === undefined ? reservedProblem(order) : null;
    if ('change' in result && reserved === null) return result;
    const problems: readonly EditProblem[] =
      'problems' in result ? result.problems : reserved === null ? [] : [reserved];
    const [first] = problems;
    const more = problems.length > 1 ? `, and ${problems.length - 1} more` : '';
    return { kind: 'row_invalid', message: `${first?.message ?? ''}${more}`, problems };
  }

  async #conflict(
    order: RowOrder,
    stored: StoredRows | null,
    where: 'precondition' | 'body' = 'precondition',
  ): Promise<RowAnswer> {
    const row = stored === null ? undefined : rowIn(stored, order);
    const change = row === undefined ? null : await this.#database.readChange(row, row.revision);
    const who = change?.changed_by == null ? '' : ` by ${change.changed_by}`;
    return {
      kind: 'revision_conflict',
      where,
      message:
        row === undefined
          ? `${nameOf(order)} was deleted meanwhile`
          : order.expects === 'nothing'
            ? `${nameOf(order)} exists already, in revision ${row.revision}${who}`
            : `${nameOf(order)} has revision ${row.revision}${who}: read it again, and repeat what is still right`,
      revision: row?.revision ?? null,
      changed_by: change?.changed_by ?? null,
      changed_at: change?.changed_at ?? null,
    };
  }

  #rowAnswer(row: StoredRow, stored: StoredRows, created: boolean): RowAnswer {
    return { kind: 'row', row: this.#shown(row, stored), revision: row.revision, created };
  }

  /** ROWS-3. */
  #shown(row: StoredRow, { rows, own }: StoredRows, ofExtension = this.#refusals(row.extensionId)): JsonMap {
    const { kind, extensionId, name, fields, revision } = row;
    const refusals = ofExtension.get(rowKey(row)) ?? [];
    const in_force = refusals.length === 0 && this.#revisionInForce(row) === revision;
    const state = this.#stateOf(row, revision, in_force, refusals);
    const count = (of: StoredRow['kind']) => rows.filter((one) => one.kind === of).length;
    if (kind === 'extension')
      return {
        id: extensionId,
        ...fields,
        ...own,
        counts: { versions: count('version'), instances: count('instance') },
        ...state,
      };
    return {
      extension_id: extensionId,
      ...(kind === 'version' ? { version: name } : { id: name }),
      ...fields,
      ...state,
    };
  }

  /** By rowKey: a list has thousands of rows, and each may be refused. */
  #refusals(extensionId: string): RefusalsByRow {
    const byRow = new Map<string, Refusal[]>();
    for (const refusal of this.deps.registry.refusedRows(extensionId)) {
      const key = JSON.stringify([refusal.version ?? '', refusal.instanceId ?? '']);
      const list = byRow.get(key);
      if (list === undefined) byRow.set(key, [refusal]);
      else list.push(refusal);
    }
    return byRow;
  }

  /** ROWS-5. */
  #stateOf(row: Named, revision: number, in_force: boolean, refusals: readonly Refusal[]): JsonMap {
    const state = { revision, in_force, refused: refusedAs(refusals) as Json };
    if (refusals.length === 0) return state;
    const known = this.#inMemory(row);
    const row_in_force = known === undefined ? null : { ...known.fields, revision: known.revision };
    return { ...state, row_in_force };
  }

  /** ROWS-6. */
  #fromMemory(row: RowInMemory, ofExtension = this.#refusals(row.extensionId)): JsonMap {
    const { kind, extensionId, name, fields, revision } = row;
    const refusals = ofExtension.get(rowKey(row)) ?? [];
    const names =
      kind === 'extension'
        ? { id: extensionId }
        : { extension_id: extensionId, ...(kind === 'version' ? { version: name } : { id: name }) };
    const state = { revision, in_force: refusals.length === 0, refused: refusedAs(refusals) as Json };
    return { ...fields, ...names, ...state, from: 'memory' };
  }

  #inMemory(row: Named): RowInMemory | undefined {
    const extension = this.#extension(row.extensionId);
    return extension && rowInMemory(extension, row);
  }

  #extension(id: string): Extension | undefined {
    return this.deps.registry.runtimes.get(id)?.extension;
  }

  #revisionInForce({ kind, extensionId, name }: Named): number | undefined {
    const extension = this.deps.registry.runtimes.get(extensionId)?.extension;
    if (extension === undefined || kind === 'extension') return extension?.revision;
    return (kind === 'version' ? versionOf(extension, name) : instanceOf(extension, name))?.revision;
  }

  async #withDatabase<T>(work: () => Promise<T>): Promise<T | { kind: 'database_unavailable'; message: string }> {
    try {
      return await work();
    } catch (error) {
      this.deps.log.warn({ event: 'rows_unavailable', error: String(error) });
      return { kind: 'database_unavailable', message: `rows are in the database: ${(error as Error).message}` };
    }
  }
}

/** Of one row, several parts of which may be refused. */
function refusedAs(refusals: readonly Refusal[]): { readonly since: string; readonly problems: string[] } | null {
  const [since] = refusals.map((one) => one.since).toSorted();
  return since === undefined ? null : { since, problems: refusals.flatMap(({ problems }) => problems) };
}

type RefusalsByRow = ReadonlyMap<string, readonly Refusal[]>;

const rowKey = ({ kind, name }: Named): string =>
  JSON.stringify([kind === 'version' ? name : '', kind === 'instance' ? name : '']);

const rowIn = ({ rows }: StoredRows, named: Named): StoredRow | undefined =>
  rows.find((row) => keyOf(row) === keyOf(named));

const nameOf = ({ kind, extensionId, name }: Named): string =>
  kind === 'extension' ? `extension '${extensionId}'` : `${kind} '${name}' of ${extensionId}`;

const notFound = (row: Named, stored: StoredRows | null): RowAnswer =>
  stored === null
    ? { kind: 'extension_not_found', message: `no extension '${row.extensionId}'` }
    : { kind: `${row.kind}_not_found`, message: `no ${nameOf(row)}` };
