// Rows of the registry by the admin API: where they are, how they are read and written in the revision that was read.
//
// ROW-REQUESTS-1. A row is changed or deleted only in a revision that was read from the database: while that is away, the daemon
//     answers from memory, which lacks fields of the row.
import { isJsonMap, type Json, type JsonMap, parseExactJson, stringifyExactJson } from '../../domain/exact-json.js';
import { wrongUsage } from '../process/command-error.js';
import type { DaemonClient } from './daemon-client.js';
import { refusalOf } from './refusals.js';

const MAX_DEPTH = 100;

/** Which row: of an extension, or one below it. */
export interface RowNames {
  readonly version?: string;
  readonly instance?: string;
}

export function rowPath(id: string, { version, instance }: RowNames): string {
  if (version !== undefined && instance !== undefined)
    throw wrongUsage('--version and --instance: expected one of them, got both');
  const own = `/admin/extensions/${encodeURIComponent(id)}`;
  if (version !== undefined) return `${own}/versions/${encodeURIComponent(version)}`;
  return instance === undefined ? own : `${own}/instances/${encodeURIComponent(instance)}`;
}

export const rowName = (id: string, { version, instance }: RowNames): string =>
  version !== undefined ? `version ${version} of ${id}` : instance !== undefined ? `instance ${instance} of ${id}` : id;

/** A row in order to write it. ROW-REQUESTS-1: rejects with `database_unavailable` otherwise. */
export async function readRow(
  daemon: DaemonClient,
  path: string,
): Promise<{ readonly row: JsonMap; readonly etag: string }> {
  const { text, etag } = await daemon.request(path);
  const row = parseExactJson(text, MAX_DEPTH) as JsonMap;
  if (etag !== null && !isFromMemory(row)) return { row, etag };
  const reason = isFromMemory(row)
    ? 'the daemon has the row in memory only'
    : 'the row came without its revision (ETag)';
  throw refusalOf(503, { code: 'database_unavailable', detail: `${reason}; nothing was written` }, null);
}

/** As the daemon remembers it while the database is away: without metadata, thresholds and unknown columns. */
export const isFromMemory = ({ from }: JsonMap): boolean => from === 'memory';

export async function putRow(
  daemon: DaemonClient,
  path: string,
  row: JsonMap,
  headers: Readonly<Record<string, string>>,
): Promise<JsonMap> {
  const { text } = await daemon.request(path, { method: 'PUT', headers, text: stringifyExactJson(row) });
  return parseExactJson(text, MAX_DEPTH) as JsonMap;
}

/** The versions or the instances of an extension. */
export async function childrenOf(
  daemon: DaemonClient,
  id: string,
  kind: 'versions' | 'instances',
): Promise<readonly JsonMap[]> {
  const { items } = await daemon.exactJson(`${rowPath(id, {})}/${kind}`);
  return (Array.isArray(items) ? items : []).filter((item: Json): item is JsonMap => isJsonMap(item));
}
