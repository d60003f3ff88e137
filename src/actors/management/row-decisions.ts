// What of a row that came in is an operator's decision, and what is only what the row said when it was read.
import type { JsonMap } from '../../domain/exact-json.js';
import type { StoredRow } from '../../domain/registry-file/registry-file-diff.js';
import type { RowOrder } from '../ports/api.js';

const SHOWN = ['revision', 'in_force', 'refused', 'row_in_force', 'from'];
/** What a row has that is not written: a row that is read and written back may hold it. */
const READ_ONLY: Readonly<Record<StoredRow['kind'], readonly string[]>> = {
  extension: [...SHOWN, 'id', 'counts', 'auto_disabled', 'created_at', 'created_by', 'updated_at', 'updated_by'],
  version: [...SHOWN, 'extension_id', 'version'],
  instance: [...SHOWN, 'extension_id', 'id'],
};

export const writable = (kind: StoredRow['kind'], fields: JsonMap): JsonMap =>
  Object.fromEntries(Object.entries(fields).filter(([name]) => !READ_ONLY[kind].includes(name)));

/** ROWS-4. A decision is written whichever it is; what is none leaves the row as it is. */
export function decidedOver(
  { how, fields }: RowOrder,
  rows: readonly StoredRow[],
): { readonly fields: JsonMap; readonly rows: readonly StoredRow[] } {
  const { enabled, ...rest } = fields;
  const isDecision = typeof enabled === 'boolean' && (how === 'merge' || fields.auto_disabled === false);
  if (!isDecision) return { fields: fields.auto_disabled === true ? rest : fields, rows };
  const opposite = (row: StoredRow): StoredRow =>
    row.kind === 'extension' ? { ...row, fields: { ...row.fields, enabled: !enabled } } : row;
  return { fields, rows: rows.map(opposite) };
}
