// Names that a new row must not have, because no address of the admin API could name it. One that is there already, by SQL, may be changed.
import type { EditProblem } from '../../domain/registry-file/row-edit.js';
import type { RowOrder } from '../ports/api.js';

/** `GET /admin/extensions/health` is the list of health. */
const RESERVED_IDS: readonly string[] = ['health'];
/** As a part of an address each is a step, also where it is encoded: no client could ask for such a row. */
const DOTS: readonly string[] = ['.', '..'];
const NAME_FIELDS = { version: 'version', instance: 'id' } as const;

/** Of a new row. null: it may be called so. */
export function reservedProblem({ kind, extensionId, name }: RowOrder): EditProblem | null {
  if (kind === 'extension')
    return RESERVED_IDS.includes(extensionId)
      ? { pointer: '/id', message: `id must not be ${extensionId}, which is a path of the admin API` }
      : null;
  const field = NAME_FIELDS[kind];
  return DOTS.includes(name)
    ? { pointer: `/${field}`, message: `${field} must not be ${name}, which no address can have as a part` }
    : null;
}
