// What a request says that changes a row: why, which fields, and which revision it is based on.
//
// ROW-REQUEST-1. A change names the revision that it is based on (`If-Match`, `If-None-Match: *`), or says that any will do (`If-Match: *`).
// ROW-REQUEST-2. Bodies are exact JSON: no digit of a number in `config`, `metadata` or `routing_rules` is lost.
import type { FastifyRequest } from '#fastify';
import { Type } from '#typebox';
import type { RowOrder } from '../../actors/ports/api.js';
import { actorOf } from '../../domain/access/principal.js';
import {
  isJsonMap,
  type Json,
  type JsonMap,
  stringifyExactJson,
  withoutExactNumbers,
} from '../../domain/exact-json.js';
import type { App } from '../app/app.js';
import { bodyParser } from '../app/json-body.js';
import { HttpProblem } from '../app/problem.js';

const MAX_ROW_BYTES = 262_144;
export const JSON_TYPE = 'application/json';
export const MERGE_PATCH = 'application/merge-patch+json';

/** Of a change: why, and who says so. */
export const changeQuery = Type.Object(
  { reason: Type.String({ maxLength: 1000 }), by: Type.Optional(Type.String({ maxLength: 200 })) },
  { additionalProperties: false },
);

/** The headers of ROW-REQUEST-1. */
export const preconditions = (method: 'PUT' | 'PATCH' | 'DELETE') =>
  Type.Object({
    'if-match': Type.Optional(Type.String({ description: 'The ETag of the row that was read, or *.' })),
    ...(method === 'PUT'
      ? { 'if-none-match': Type.Optional(Type.String({ description: '*: there must be none yet.' })) }
      : {}),
  });

/** ROW-REQUEST-2. For every route of `app`. */
export function readsExactJson(app: App): void {
  app.removeContentTypeParser('application/json');
  app.addContentTypeParser<Buffer>(
    ['application/json', MERGE_PATCH],
    { parseAs: 'buffer', bodyLimit: MAX_ROW_BYTES },
    bodyParser((json) => json),
  );
}

export function who({ query, principal }: FastifyRequest): Pick<RowOrder, 'reason' | 'actor'> {
  const { reason, by } = query as { reason: string; by?: string };
  return { reason, actor: actorOf(principal, by) };
}

export function bodyOf({ body, method, headers }: FastifyRequest): JsonMap {
  if (method !== 'PATCH' && headers['content-type']?.startsWith(MERGE_PATCH) === true)
    throw new HttpProblem('unsupported_media_type', `content-type must be application/json, got ${MERGE_PATCH}`);
  if (!isJsonMap(body as Json | undefined))
    throw new HttpProblem(
      'invalid_request',
      `the body must be a JSON object with fields of the row, got ${shown(body as Json)}`,
    );
  return body as JsonMap;
}

/** A body that names itself names the row of the path. */
export function sameName(fields: JsonMap, member: string, name: string): void {
  if (fields[member] !== undefined && fields[member] !== name)
    throw new HttpProblem(
      'row_invalid',
      `${member} must be ${JSON.stringify(name)}, as in the path, or absent, got ${shown(fields[member])}: no row is renamed`,
    );
}

export function revisionIn({ revision }: JsonMap): number | null {
  const plain = withoutExactNumbers(revision ?? null);
  if (plain === null || (typeof plain === 'number' && Number.isSafeInteger(plain))) return plain;
  throw new HttpProblem('row_invalid', `revision must be a whole number, got ${shown(revision)}`);
}

/** ROW-REQUEST-1. */
export function expectedBy({ headers }: FastifyRequest, method: 'PUT' | 'PATCH' | 'DELETE'): RowOrder['expects'] {
  const { 'if-match': match, 'if-none-match': noneMatch } = headers;
  if (match !== undefined && noneMatch !== undefined)
    throw new HttpProblem('invalid_request', 'expected If-Match or If-None-Match, got both');
  if (noneMatch !== undefined) {
    if (method === 'PUT' && noneMatch.trim() === '*') return 'nothing';
    throw new HttpProblem(
      'invalid_request',
      `If-None-Match is for the PUT of a new row, and must be *; got ${shown(noneMatch)}`,
    );
  }
  if (match === undefined)
    throw new HttpProblem(
      'precondition_required',
      `If-Match must be the ETag of the row that was read, or * for any revision${method === 'PUT' ? '; If-None-Match: * for a new row' : ''}`,
    );
  if (match.trim() === '*') return 'any';
  const revision = /^\s*"(\d{1,15})"\s*$/.exec(match)?.[1];
  if (revision === undefined)
    throw new HttpProblem('invalid_request', `If-Match must be one ETag such as "7", or *, got ${shown(match)}`);
  return Number(revision);
}

export const shown = (value: Json | undefined): string =>
  value === undefined ? 'nothing' : stringifyExactJson(value).slice(0, 80);
