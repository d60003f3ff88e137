// A row of the registry that is not in force as it is written, as every view shows it.
import { type Static, Type } from '#typebox';
import { listOf, orNull } from './answer-schema.js';
import type { RowProblem } from './registry-validation.js';

/** A problem that is not solved yet. */
export interface Refusal extends RowProblem {
  /** ISO 8601: when this daemon first refused the row, whatever of it has changed since. */
  readonly since: string;
}

/** A row that is not in force as it is: what it said before stays in force, or nothing if it never was valid. */
export type RefusedRow = Static<typeof refusedRowSchema>;
export const refusedRowSchema = Type.Object({
  extension_id: Type.String({ unit: '-', description: 'Extension that the row belongs to.' }),
  version: orNull<string>('string', {
    unit: '-',
    description: "Version that the row is of; null: another row, or the extension's own.",
  }),
  instance_id: orNull<string>('string', {
    unit: '-',
    description: "Instance that the row is of; null: another row, or the extension's own.",
  }),
  revision: Type.Number({ unit: 'revision', description: 'Revision of the registry at which the row was refused.' }),
  since: Type.String({
    unit: 'ISO 8601, UTC',
    description: 'When this daemon first refused the row, whatever of it has changed since.',
  }),
  problems: listOf(Type.String(), { unit: '-', description: 'Sentences: what was expected and what was found.' }),
});

export const refusedRowsSchema = listOf(refusedRowSchema, {
  unit: '-',
  description: 'Rows that are not in force; absent if there are none.',
});

/** Why a view has nothing of an extension, as a sentence; `refusals`: its own. */
export function absenceText(extensionId: string, refusals: Iterable<Refusal>): string {
  const problems = [...refusals].flatMap((refusal) => refusal.problems);
  return problems.length === 0
    ? `no extension '${extensionId}'`
    : `nothing of extension '${extensionId}' is in force, since its row is refused: ${problems.join('; ')}`;
}

export const refusedRow = ({ extensionId, version, instanceId, revision, since, problems }: Refusal): RefusedRow => ({
  extension_id: extensionId,
  version: version ?? null,
  instance_id: instanceId ?? null,
  revision,
  since,
  problems,
});
