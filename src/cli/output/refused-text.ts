// Rows that the daemon refuses, as text.
import type { RefusedRow } from '../../domain/registry/refused-row.js';
import type { RowProblem } from '../../domain/registry/registry-validation.js';
import { countText } from './output.js';
import { singleLine } from './terminal-text.js';

/** `since`: as the daemon says; absent where no daemon was asked. */
type Refused = RowProblem & { readonly since?: string };

/** A line that counts them and one for each problem; '' if there are none. */
export function refusedText(refused: readonly Refused[]): string {
  if (refused.length === 0) return '';
  const lines = refused.flatMap(({ extensionId, version, instanceId, since, problems }) => {
    const child =
      version !== undefined ? `, version ${version}` : instanceId !== undefined ? `, instance ${instanceId}` : '';
    const time = since === undefined ? '' : ` (since ${since})`;
    return problems.map((problem) => `  ${singleLine(`extension ${extensionId}${child}${time}: ${problem}`)}\n`);
  });
  return `the daemon refuses ${countText(refused.length, 'row')}, and keeps to the rest:\n${lines.join('')}`;
}

/** Of an answer of the daemon. `total`: how many there are, if these are not all. */
export function refusedRowsText(rows: readonly RefusedRow[], total = rows.length): string {
  const text = refusedText(
    rows.map(({ extension_id, version, instance_id, revision, since, problems }) => ({
      extensionId: extension_id,
      ...(version === null ? {} : { version }),
      ...(instance_id === null ? {} : { instanceId: instance_id }),
      revision,
      since,
      problems,
    })),
  );
  return total > rows.length ? `${text}  and ${total - rows.length} more\n` : text;
}
