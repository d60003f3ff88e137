// Rows of the registry over HTTP: `/admin/extensions`, and below an extension `/versions` and `/instances`.
//
// ROW-ROUTES-1. A change names the revision that it is based on (`If-Match`, `If-None-Match: *`), or says that any will do (`If-Match: *`).
// ROW-ROUTES-2. Bodies are exact JSON: no digit of a number in `config`, `metadata` or `routing_rules` is lost, in either direction.
import type { FastifyReply, FastifyRequest } from '#fastify';
import { Type } from '#typebox';
import type { RowAnswer, RowDesk, RowOrder } from '../../actors/ports/api.js';
import {
  isJsonMap,
  type Json,
  type JsonMap,
  JsonSyntaxError,
  parseExactJson,
  stringifyExactJson,
  withoutExactNumbers,
} from '../../domain/exact-json.js';
import { isExtensionId, NO_ID } from '../../domain/registry/subject-rules.js';
import type { Named } from '../../domain/registry-file/registry-file-diff.js';
import type { RowKind } from '../../domain/registry-file/registry-file-schema.js';
import type { App } from '../app/app.js';
import { errorBody, HTTP_ERRORS, type HttpErrorCode } from '../app/http-errors.js';
import { NO_PARAMETERS } from '../app/query-string.js';
import { actorOf } from '../app/strict-body.js';

const MAX_ROW_BYTES = 262_144;
const MAX_DEPTH = 100;
const MERGE_PATCH = 'application/merge-patch+json';

const changeQuery = Type.Object(
  { reason: Type.String({ maxLength: 1000 }), by: Type.Optional(Type.String({ maxLength: 200 })) },
  { additionalProperties: false },
);

/** What a request is refused with before the desk is asked. */
class Refused extends Error {
  constructor(
    readonly code: HttpErrorCode,
    message: string,
  ) {
    super(message);
  }
}

/** Where the rows of a kind are, and what names one of them in its own JSON. */
const KINDS: Readonly<Record<RowKind, { readonly all: string; readonly name: string }>> = {
  extension: { all: '/admin/extensions', name: 'id' },
  version: { all: '/admin/extensions/:id/versions', name: 'version' },
  instance: { all: '/admin/extensions/:id/instances', name: 'id' },
};

export function rowRoutes(app: App, rows: RowDesk): void {
  app.register(async (scope) => {
    const own = scope as unknown as App;
    readsExactJson(own);
    for (const kind of ['extension', 'version', 'instance'] as const) {
      if (kind !== 'extension') listRoute(own, kind, rows);
      readRoute(own, kind, rows);
      createRoute(own, kind, rows);
      for (const method of ['PUT', 'PATCH', 'DELETE'] as const) changeRoute(own, kind, method, rows);
    }
  });
}

/** ROW-ROUTES-2. */
function readsExactJson(app: App): void {
  app.removeContentTypeParser('application/json');
  app.addContentTypeParser<string>(
    ['application/json', MERGE_PATCH],
    { parseAs: 'string', bodyLimit: MAX_ROW_BYTES },
    (_request, text, done) => {
      try {
        done(null, parseExactJson(text, MAX_DEPTH));
      } catch (error) {
        done(error instanceof JsonSyntaxError ? Object.assign(error, { statusCode: 400 }) : (error as Error));
      }
    },
  );
}

const paramsOf = (kind: RowKind) =>
  Type.Object({ id: Type.String(), ...(kind === 'extension' ? {} : { name: Type.String() }) });
const pathOf = (kind: RowKind): string =>
  kind === 'extension' ? `${KINDS[kind].all}/:id` : `${KINDS[kind].all}/:name`;

function listRoute(app: App, kind: 'version' | 'instance', rows: RowDesk): void {
  app.get(KINDS[kind].all, { schema: { querystring: NO_PARAMETERS } }, (request, reply) =>
    answering(reply, async () => {
      const { id } = request.params as { id: string };
      if (!isExtensionId(id)) throw new Refused('invalid_request', NO_ID);
      const answer = await rows.list(id, kind);
      if (answer.kind !== 'rows') throw new Refused(answer.kind, answer.message);
      return sendJson(reply, { items: answer.rows });
    }),
  );
}

function readRoute(app: App, kind: RowKind, rows: RowDesk): void {
  app.get(pathOf(kind), { schema: { params: paramsOf(kind), querystring: NO_PARAMETERS } }, (request, reply) =>
    answering(reply, async () => sendAnswer(reply, await rows.read(namedBy(kind, request)))),
  );
}

function createRoute(app: App, kind: RowKind, rows: RowDesk): void {
  app.post(KINDS[kind].all, { schema: { querystring: changeQuery } }, (request, reply) =>
    answering(reply, async () => {
      const fields = bodyOf(request);
      const member = KINDS[kind].name;
      const own = fields[member];
      if (typeof own !== 'string') throw new Refused('row_invalid', `${member} must be a text, got ${shown(own)}`);
      const { id = own } = request.params as { id?: string };
      const row = named(kind, id, own);
      const order = {
        ...row,
        ...who(request),
        how: 'create',
        fields,
        expects: 'nothing',
        revisionInBody: null,
      } as const;
      return sendAnswer(reply, await rows.edit(order));
    }),
  );
}

const HOW = { PUT: 'replace', PATCH: 'merge', DELETE: 'delete' } as const;

function changeRoute(app: App, kind: RowKind, method: keyof typeof HOW, rows: RowDesk): void {
  app.route({
    method,
    url: pathOf(kind),
    schema: { params: paramsOf(kind), querystring: changeQuery },
    handler: (request, reply) =>
      answering(reply, async () => {
        const how = HOW[method];
        const fields = how === 'delete' ? {} : bodyOf(request);
        const row = namedBy(kind, request);
        if (how !== 'delete') sameName(fields, KINDS[kind].name, kind === 'extension' ? row.extensionId : row.name);
        const expects = expectedBy(request, method);
        const revisionInBody = how === 'delete' ? null : revisionIn(fields);
        return sendAnswer(reply, await rows.edit({ ...row, ...who(request), how, fields, expects, revisionInBody }));
      }),
  });
}

async function answering(reply: FastifyReply, work: () => Promise<FastifyReply>): Promise<FastifyReply> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return sendRefusal(reply, error.code, error.message);
  }
}

function named(kind: RowKind, extensionId: string, name: string): Named {
  if (!isExtensionId(extensionId)) throw new Refused('invalid_request', NO_ID);
  return { kind, extensionId, name: kind === 'extension' ? '' : name };
}

function namedBy(kind: RowKind, { params }: FastifyRequest): Named {
  const { id, name = '' } = params as { id: string; name?: string };
  return named(kind, id, name);
}

function who({ query }: FastifyRequest): Pick<RowOrder, 'reason' | 'actor'> {
  const { reason, by } = query as { reason: string; by?: string };
  return { reason, actor: actorOf(by) };
}

function bodyOf({ body, method, headers }: FastifyRequest): JsonMap {
  if (method !== 'PATCH' && headers['content-type']?.startsWith(MERGE_PATCH) === true)
    throw new Refused('unsupported_media_type', `content-type must be application/json, got ${MERGE_PATCH}`);
  if (!isJsonMap(body as Json | undefined))
    throw new Refused(
      'invalid_request',
      `the body must be a JSON object with fields of the row, got ${shown(body as Json)}`,
    );
  return body as JsonMap;
}

/** A body that names itself names the row of the path. */
function sameName(fields: JsonMap, member: string, name: string): void {
  if (fields[member] !== undefined && fields[member] !== name)
    throw new Refused(
      'row_invalid',
      `${member} must be ${JSON.stringify(name)}, as in the path, or absent, got ${shown(fields[member])}: no row is renamed`,
    );
}

function revisionIn({ revision }: JsonMap): number | null {
  const plain = withoutExactNumbers(revision ?? null);
  if (plain === null || (typeof plain === 'number' && Number.isSafeInteger(plain))) return plain;
  throw new Refused('row_invalid', `revision must be a whole number, got ${shown(revision)}`);
}

/** ROW-ROUTES-1. */
function expectedBy({ headers }: FastifyRequest, method: keyof typeof HOW): RowOrder['expects'] {
  const { 'if-match': match, 'if-none-match': noneMatch } = headers;
  if (match !== undefined && noneMatch !== undefined)
    throw new Refused('invalid_request', 'expected If-Match or If-None-Match, got both');
  if (noneMatch !== undefined) {
    if (method === 'PUT' && noneMatch.trim() === '*') return 'nothing';
    throw new Refused('invalid_request', `If-None-Match must be *, and only for PUT, got ${shown(noneMatch)}`);
  }
  if (match === undefined)
    throw new Refused(
      'precondition_required',
      `If-Match must be the ETag of the row that was read, or * for any revision${method === 'PUT' ? '; If-None-Match: * for a new row' : ''}`,
    );
  if (match.trim() === '*') return 'any';
  const revision = /^\s*"(\d{1,15})"\s*$/.exec(match)?.[1];
  if (revision === undefined)
    throw new Refused('invalid_request', `If-Match must be one ETag such as "7", or *, got ${shown(match)}`);
  return Number(revision);
}

const shown = (value: Json | undefined): string =>
  value === undefined ? 'nothing' : stringifyExactJson(value).slice(0, 80);

function sendAnswer(reply: FastifyReply, answer: RowAnswer): FastifyReply {
  switch (answer.kind) {
    case 'row':
      if (answer.created) reply.code(201).header('location', locationOf(answer.row));
      return sendJson(reply.header('etag', `"${answer.revision}"`), answer.row);
    case 'deleted':
      return reply.code(204).send();
    case 'revision_conflict': {
      const { where, revision, changed_by, changed_at } = answer;
      const more = { revision, changed_by, changed_at };
      return sendRefusal(reply, answer.kind, answer.message, more, where === 'body' ? 409 : undefined);
    }
    case 'row_invalid':
      return sendRefusal(reply, answer.kind, answer.message, { problems: answer.problems });
    default:
      return sendRefusal(reply, answer.kind, answer.message);
  }
}

function locationOf(row: JsonMap): string {
  const part = (value: Json | undefined): string => encodeURIComponent(String(value));
  if (row.extension_id === undefined) return `/admin/extensions/${part(row.id)}`;
  const own = row.id === undefined ? `versions/${part(row.version)}` : `instances/${part(row.id)}`;
  return `/admin/extensions/${part(row.extension_id)}/${own}`;
}

const sendJson = (reply: FastifyReply, value: Json): FastifyReply =>
  reply.type('application/json; charset=utf-8').send(stringifyExactJson(value));

function sendRefusal(
  reply: FastifyReply,
  code: HttpErrorCode,
  message: string,
  more: object = {},
  status: number = HTTP_ERRORS[code].status,
): FastifyReply {
  return reply
    .code(status)
    .type('application/json; charset=utf-8')
    .send(JSON.stringify(errorBody(code, message, more)));
}
