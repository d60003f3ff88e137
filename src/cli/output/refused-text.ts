// Rows that the daemon refuses, as text.
import type { RowProblem } from '../../domain/registry/registry-validation.js';
import { countText, singleLine } from './output.js';

/** A line that counts them and one for each problem; '' if there are none. */
export function refusedText(refused: readonly RowProblem[]): string {
  if (refused.length === 0) return '';
  const lines = refused.flatMap(({ extensionId, version, instanceId, problems }) => {
    const child =
      version !== undefined ? `, version ${version}` : instanceId !== undefined ? `, instance ${instanceId}` : '';
    return problems.map((problem) => `  ${singleLine(`extension ${extensionId}${child}: ${problem}`)}\n`);
  });
  return `the daemon refuses ${countText(refused.length, 'row')}, and keeps to the rest:\n${lines.join('')}`;
}
