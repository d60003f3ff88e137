// `GET /admin/extensions/:id?expand=…`: what belongs to an extension beside its row. It holds what is measured, so it has no ETag.
import { Type } from '#typebox';
import type { RowDesk } from '../../actors/ports/api.js';
import type { ManagementDesk } from '../../actors/ports/management.js';
import type { Json, JsonMap } from '../../domain/exact-json.js';
import { mapped } from '../../domain/json-parts.js';
import { HttpProblem } from '../app/problem.js';
import { someOfWords } from '../app/query-string.js';

const EXPANSIONS = ['versions', 'instances', 'policy'] as const;
export type Expansion = (typeof EXPANSIONS)[number];

export const expandQuery = Type.Object(
  { expand: Type.Optional(someOfWords(EXPANSIONS, 'What belongs to the extension, beside its row.')) },
  { additionalProperties: false },
);

interface Expanded {
  readonly members: JsonMap;
  /** Each row is made when it is asked for. */
  readonly lists: Readonly<Record<string, Iterable<JsonMap>>>;
}

/** `shown`: what the reader may see of a row. */
export async function expandedRow(
  id: string,
  wanted: readonly Expansion[],
  rows: RowDesk,
  desk: Pick<ManagementDesk, 'measured' | 'policyInForce'>,
  shown: (row: JsonMap) => JsonMap,
): Promise<Expanded> {
  const measured = desk.measured(id);
  const listOf = async (kind: 'version' | 'instance'): Promise<readonly [string, Iterable<JsonMap>]> => {
    const answer = await rows.list(id, kind);
    if (answer.kind !== 'rows') throw new HttpProblem(answer.kind, answer.message);
    const name = kind === 'version' ? 'version' : 'id';
    const all = mapped(answer.rows, (row) => ({ ...shown(row), ...measured?.[kind](String(row[name])) }));
    return [`${kind}s`, all];
  };
  const kinds = (['version', 'instance'] as const).filter((kind) => wanted.includes(`${kind}s`));
  // Beside each other: each may wait for a database that does not answer.
  const lists = Object.fromEntries(await Promise.all(kinds.map(listOf)));
  return { members: wanted.includes('policy') ? { policy_in_force: desk.policyInForce(id) as Json } : {}, lists };
}
