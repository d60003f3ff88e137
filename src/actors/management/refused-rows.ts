// Rows that are refused: which they are now, and the report of each, once for what is wrong with it in its revision.
import type { RowProblem } from '../../domain/registry/registry-validation.js';
import { type Notices, SYSTEM_REGISTRY } from '../events/notices.js';

/** Characters of a reason: a row may have as many problems as it has names. */
const MAX_REASON = 4000;

export class RefusedRows {
  /** By extension and part of it: what was reported last. */
  readonly #reported = new Map<string, Map<string, string>>();

  /** By extension and part of it: what is refused now. */
  readonly #inForce = new Map<string, Map<string, RowProblem>>();

  constructor(
    private readonly notices: Notices,
    /** What is refused of an extension may be something else now. */
    private readonly onChanged: (extensionId: string) => void,
  ) {}

  /** What is refused now, of one extension or of all. */
  *list(extensionId?: string): Iterable<RowProblem> {
    const each = extensionId === undefined ? this.#inForce.values() : [this.#inForce.get(extensionId)];
    for (const problems of each) yield* problems?.values() ?? [];
  }

  /** What was refused of that part is forgotten, unless it is reported again. */
  renew(extensionId: string, part = ''): void {
    const problems = this.#inForce.get(extensionId);
    if (problems === undefined) return;
    for (const key of problems.keys()) if (key.startsWith(`${part}/`)) problems.delete(key);
    if (problems.size === 0) this.#inForce.delete(extensionId);
    this.onChanged(extensionId);
  }

  /** Likewise, of every extension. */
  renewAll(part: string): void {
    for (const extensionId of [...this.#inForce.keys()]) this.renew(extensionId, part);
  }

  /** `part`: of the extension's row, if several of its parts may be refused separately. */
  report(problem: RowProblem, part = ''): void {
    const { extensionId, version, instanceId, revision, problems } = problem;
    const key = `${part}/${version ?? ''}/${instanceId ?? ''}`;
    const inForce = this.#inForce.get(extensionId) ?? new Map<string, RowProblem>();
    this.#inForce.set(extensionId, inForce.set(key, problem));
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
  }

  forgetAll(): void {
    this.#reported.clear();
  }
}
