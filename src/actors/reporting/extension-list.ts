// Pages of the list of extensions, read from the board in steps.
//
// EXTENSION-LIST-1. A page begins behind the key of the last item before it: an extension that stays, and whose sorted columns do not change, is
//     on exactly one page, whatever comes and goes meanwhile.
// EXTENSION-LIST-2. One walk finds the items of a page and the total; it keeps no more of them than a page has.
// EXTENSION-LIST-3. An extension whose row was never valid is listed as well: without measurements, `in_force` false, and why.
import { BOARD_FLAGS, BOARD_STATES, LOOK_FLAGS } from '../../domain/board-codes.js';
import type { ListQuery } from '../../domain/registry/list-query.js';
import type { RowProblem } from '../../domain/registry/registry-validation.js';
import type { Steps } from '../../domain/steps.js';
import type { ListAnswer } from '../ports/board.js';
import type { BoardRow } from './board-row.js';
import { BY_IMPACT, type ListKey, ListOrder } from './list-order.js';

const PER_STEP = 64;

interface ListSources {
  readonly rows: Iterable<BoardRow>;
  readonly refusedRows: (extensionId?: string) => Iterable<RowProblem>;
  readonly hasRow: (extensionId: string) => boolean;
  readonly revision: number | null;
}

interface Found {
  readonly key: ListKey;
  /** null: EXTENSION-LIST-3. */
  readonly row: BoardRow | null;
}

/** The answer is put into `result` as the last step. */
export function* listing(query: ListQuery, sources: ListSources, result: { answer: ListAnswer | null }): Steps<void> {
  const names = query.sort ?? (query.wrong === true ? BY_IMPACT : ['id']);
  const problem = ListOrder.problem(names);
  if (problem !== null) {
    result.answer = { kind: 'invalid', message: problem };
    return;
  }
  const order = new ListOrder(names);
  const after = query.after === undefined ? null : order.keyIn(query.after);
  if (query.after !== undefined && after === null) {
    const message = 'after must be `next` of a page with the same sort: begin again without it';
    result.answer = { kind: 'invalid', message };
    return;
  }
  const page = new Page(order, after, query.limit);
  let met = 0;
  for (const row of sources.rows) {
    if (isSelected(query, row)) page.offer({ key: order.keyOf(row), row });
    if (++met % PER_STEP === 0) yield;
  }
  for (const id of yield* neverValid(sources))
    if (isSelectedWithout(query, id)) page.offer({ key: { values: order.keyWithout, id }, row: null });
  const items: string[] = [];
  for (const found of page.found) {
    items.push(JSON.stringify(itemOf(found, sources)));
    if (items.length % PER_STEP === 0) yield;
  }
  const last = page.isMore ? page.found.at(-1) : undefined;
  const next = last === undefined ? null : order.textOf(last.key);
  result.answer = { kind: 'page', items, next, total: page.total, revision: sources.revision };
}

/** EXTENSION-LIST-2. The first `limit` of those behind `after`, in order. */
class Page {
  readonly found: Found[] = [];
  total = 0;
  /** Some of those offered come after the last of `found`. */
  isMore = false;

  constructor(
    private readonly order: ListOrder,
    private readonly after: ListKey | null,
    private readonly limit: number,
  ) {}

  offer(one: Found): void {
    const { found, order, after, limit } = this;
    this.total++;
    if (after !== null && order.compare(one.key, after) <= 0) return;
    if (found.length === limit) {
      this.isMore = true;
      if (order.compare(one.key, (found.at(-1) as Found).key) > 0) return;
    }
    let first = 0;
    let last = found.length;
    while (first < last) {
      const middle = (first + last) >> 1;
      if (order.compare((found[middle] as Found).key, one.key) < 0) first = middle + 1;
      else last = middle;
    }
    found.splice(first, 0, one);
    if (found.length > limit) found.pop();
  }
}

/** EXTENSION-LIST-3. */
function* neverValid({ refusedRows, hasRow }: ListSources): Steps<Set<string>> {
  const ids = new Set<string>();
  for (const { extensionId } of refusedRows()) {
    if (!hasRow(extensionId)) ids.add(extensionId);
    yield;
  }
  return ids;
}

function isSelected(query: ListQuery, row: BoardRow): boolean {
  const { extension } = row.runtime;
  return (
    isNamed(query, row.id) &&
    (query.states?.has(BOARD_STATES[row.state] ?? '') ?? true) &&
    (query.types?.has(row.type) ?? true) &&
    (query.enabled === undefined || query.enabled === extension.enabled) &&
    (query.autoDisabled === undefined || query.autoDisabled === extension.autoDisabled) &&
    (query.override === undefined || query.override === (extension.breakerOverride ?? 'none')) &&
    (query.wrong === undefined || query.wrong === isWrong(row))
  );
}

/** Of an extension of which nothing but the id is known. */
function isSelectedWithout(query: ListQuery, id: string): boolean {
  const { states, types, enabled, autoDisabled, override, wrong } = query;
  const isAskedFor = [states, types, enabled, autoDisabled, override].every((filter) => filter === undefined);
  return isNamed(query, id) && isAskedFor && wrong !== false;
}

const isNamed = ({ ids, q }: ListQuery, id: string): boolean =>
  (ids?.has(id) ?? true) && (q === undefined || id.toLowerCase().includes(q.toLowerCase()));

/** Not closed, disabled, or with something that an operator should know of. */
const isWrong = (row: BoardRow): boolean =>
  !row.isHealthy || (row.flags & LOOK_FLAGS) !== 0 || BOARD_STATES[row.state] !== 'closed';

function itemOf({ key, row }: Found, { refusedRows }: ListSources): object {
  const problems = [...refusedRows(key.id)];
  const isOwn = (one: RowProblem): boolean => one.version === undefined && one.instanceId === undefined;
  const state = {
    in_force: row !== null && !problems.some(isOwn),
    refused:
      problems.length === 0 ? null : problems.flatMap((one) => one.problems.map((text) => `${partOf(one)}${text}`)),
  };
  if (row === null) return { id: key.id, type: null, ...state, health: null };
  const { extension } = row.runtime;
  return {
    id: extension.id,
    type: extension.type,
    subject: extension.subject,
    timeout_ms: extension.timeoutMs,
    retry: extension.retry,
    version: row.version,
    enabled: extension.enabled,
    auto_disabled: extension.autoDisabled,
    breaker_override: extension.breakerOverride,
    revision: extension.revision,
    counts: { versions: extension.versions.length, instances: extension.instances.length },
    ...state,
    health: healthOf(row),
  };
}

function partOf({ version, instanceId }: RowProblem): string {
  if (instanceId !== undefined) return `instance ${instanceId}: `;
  return version === undefined ? '' : `version ${version}: `;
}

function healthOf(row: BoardRow): object {
  const has = (flag: keyof typeof BOARD_FLAGS): boolean => (row.flags & BOARD_FLAGS[flag]) !== 0;
  return {
    k: row.k,
    state: BOARD_STATES[row.state],
    since: row.since === null ? null : new Date(row.since * 1000).toISOString(),
    success_rate: row.successRate,
    p50_latency_ms: row.p50,
    p95_latency_ms: row.p95,
    p99_latency_ms: row.p99,
    calls_per_second: row.calls,
    failed_per_second: row.failed,
    refused_per_second: row.refused,
    recovering: has('recovering'),
    canary: has('canary'),
    ejected_instance: has('ejected_instance'),
    no_call_ever: has('no_call_ever'),
  };
}
