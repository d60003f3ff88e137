// Rows that are refused: which they are now, and the report of each, once for what is wrong with it in its revision.
//
// REFUSED-ROWS-1. A row is refused since it was first: another revision that is refused too, or for something else, begins nothing.
import type { Refusal } from '../../domain/registry/refused-row.js';
import type { RowProblem } from '../../domain/registry/registry-validation.js';
import { type Notices, SYSTEM_REGISTRY } from '../events/notices.js';
import type { WallClock } from '../ports/clock.js';

/** Characters of a reason: a row may have as many problems as it has names. */
const MAX_REASON = 4000;

export class RefusedRows {
  /** By extension and part of it: what was reported last. */
  readonly #reported = new Map<string, Map<string, string>>();

  /** By extension and part of it: what is refused now. */
  readonly #inForce = new Map<string, Map<string, Refusal>>();
  /** REFUSED-ROWS-1. Likewise, since when: of those that renew() has forgotten, and that may be reported again. */
  readonly #renewed = new Map<string, Map<string, string>>();

  constructor(
    private readonly notices: Notices,
    private readonly wall: WallClock,
    /** What is refused of an extension may be something else now. */
    private readonly onChanged: (extensionId: string) => void,
  ) {}

  /** What is refused now, of one extension or of all. */
  *list(extensionId?: string): Iterable<Refusal> {
    const each = extensionId === undefined ? this.#inForce.values() : [this.#inForce.get(extensionId)];
    for (const problems of each) yield* problems?.values() ?? [];
  }

  /** What was refused of that part is forgotten, unless it is reported again. */
  renew(extensionId: string, part = ''): void {
    const isRefused = this.#inForce.has(extensionId);
    if (!isRefused && !this.#renewed.has(extensionId)) return;
    const renewed = this.#renewed.get(extensionId) ?? new Map<string, string>();
    // What was not reported again after the last time is refused no longer.
    for (const key of renewed.keys()) if (isOf(part, key)) renewed.delete(key);
    const problems = this.#inForce.get(extensionId) ?? new Map<string, Refusal>();
    for (const [key, { since }] of problems) {
      if (!isOf(part, key)) continue;
      problems.delete(key);
      renewed.set(key, since);
    }
    if (problems.size === 0) this.#inForce.delete(extensionId);
    if (renewed.size === 0) this.#renewed.delete(extensionId);
    else this.#renewed.set(extensionId, renewed);
    if (isRefused) this.onChanged(extensionId);
  }

  /** What was refused of that part is in force now. */
  solved(extensionId: string, part: string): void {
    this.renew(extensionId, part);
    this.renew(extensionId, part);
  }

  /** `part`: of the extension's row, if several of its parts may be refused separately. */
  report(problem: RowProblem, part = ''): void {
    const { extensionId, version, instanceId, revision, problems } = problem;
    const key = `${part}/${version ?? ''}/${instanceId ?? ''}`;
    const inForce = this.#inForce.get(extensionId) ?? new Map<string, Refusal>();
    const since =
      inForce.get(key)?.since ?? this.#renewed.get(extensionId)?.get(key) ?? new Date(this.wall()).toISOString();
    this.#inForce.set(extensionId, inForce.set(key, { ...problem, since }));
    this.onChanged(extensionId);
    const all = problems.join('; ');
    const reason = all.length > MAX_REASON ? `${all.slice(0, MAX_REASON)}…` : all;
    const what = `${revision}: ${reason}`;
    const known = this.#reported.get(extensionId) ?? new Map<string, string>();
    if (known.get(key) === what) return;
    this.#reported.set(extensionId, known.set(key, what));
    this.notices.publish({
      event: 'registry_row_rejected',
      extensionId,
      ...(version === undefined ? {} : { version }),
      ...(instanceId === undefined ? {} : { instance_id: instanceId }),
      actor: SYSTEM_REGISTRY,
      reason,
      revision,
      audited: true,
    });
  }

  /** The extension is gone. */
  forget(extensionId: string): void {
    this.#reported.delete(extensionId);
    this.#inForce.delete(extensionId);
    this.#renewed.delete(extensionId);
  }

  forgetAll(): void {
    this.#reported.clear();
  }
}

const isOf = (part: string, key: string): boolean => key.startsWith(`${part}/`);
