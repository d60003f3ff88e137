// Reports rows that are refused, each once for what is wrong with it in its revision.
import type { RowProblem } from '../domain/registry-validation.js';
import { type Notices, SYSTEM_REGISTRY } from './notices.js';

/** Characters of a reason: a row may have as many problems as it has names. */
const MAX_REASON = 4000;

export class RefusedRows {
  /** By extension and part of it: what was reported last. */
  readonly #reported = new Map<string, Map<string, string>>();

  constructor(private readonly notices: Notices) {}

  /** `part`: of the extension's row, where several may be refused for themselves. */
  report({ extensionId, version, instanceId, revision, problems }: RowProblem, part = ''): void {
    const key = `${part}/${version ?? ''}/${instanceId ?? ''}`;
    const all = problems.join('; ');
    const reason = all.length > MAX_REASON ? `${all.slice(0, MAX_REASON)}…` : all;
    const what = `${revision}: ${reason}`;
    const known = this.#reported.get(extensionId) ?? new Map<string, string>();
    if (known.get(key) === what) return;
    this.#reported.set(extensionId, known.set(key, what));
    this.notices.tell({
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
  }

  forgetAll(): void {
    this.#reported.clear();
  }
}
