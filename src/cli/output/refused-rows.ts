// Rows of the registry that the daemon refuses, as it would say itself when it reads them.
import { diffRegistry } from '../../domain/registry/registry-diff.js';
import type { RegistryEntry } from '../../domain/registry/registry-rows.js';
import type { RowProblem } from '../../domain/registry/registry-validation.js';
import type { SubjectRules } from '../../domain/registry/subject-rules.js';

/** Those of a daemon that starts with this registry. */
export const refusedRows = (entries: readonly RegistryEntry[], rules: SubjectRules): readonly RowProblem[] =>
  diffRegistry(new Map(), { kind: 'snapshot', revision: 0, entries }, rules, 'all').refused;

export const refusedForPrograms = (refused: readonly RowProblem[]): Record<string, unknown>[] =>
  refused.map(({ extensionId, version, instanceId, problems }) => ({
    extension_id: extensionId,
    ...(version === undefined ? {} : { version }),
    ...(instanceId === undefined ? {} : { instance_id: instanceId }),
    problems,
  }));
