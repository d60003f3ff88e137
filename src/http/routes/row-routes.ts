// Rows of the registry over HTTP: `/admin/extensions`, and below an extension `/versions` and `/instances`.
import type { FastifyReply, FastifyRequest } from '#fastify';
import { type TSchema, Type } from '#typebox';
import type { RowAnswer, RowDesk } from '../../actors/ports/api.js';
import type { ManagementDesk } from '../../actors/ports/management.js';
import { allows, type Principal } from '../../domain/access/principal.js';
import { type Json, type JsonMap, stringifyExactJson } from '../../domain/exact-json.js';
import { mapped, objectParts } from '../../domain/json-parts.js';
import type { Named } from '../../domain/registry-file/registry-file-diff.js';
import type { RowKind } from '../../domain/registry-file/registry-file-schema.js';
import { editSchema, rowSchema, withoutConfig } from '../../domain/registry-file/row-schema.js';
import type { App } from '../app/app.js';
import type { HttpErrorCode } from '../app/http-errors.js';
import { sendJson } from '../app/json-stream.js';
import { extensionId, ID_PARAMS } from '../app/path-id.js';
import { HttpProblem, problems } from '../app/problem.js';
import { NO_PARAMETERS } from '../app/query-string.js';
import { refusalOf, sendExactJson } from './row-answer.js';
import { type Expansion, expandedRow, expandQuery } from './row-expansion.js';
import {
  bodyOf,
  changeQuery,
  expectedBy,
  JSON_TYPE,
  MERGE_PATCH,
  preconditions,
  readsExactJson,
  revisionIn,
  sameName,
  shown,
  who,
} from './row-request.js';

/** Where the rows of a kind are, and what names one of them in its own JSON. */
const KINDS: Readonly<Record<RowKind, { readonly all: string; readonly name: string }>> = {
  extension: { all: '/admin/extensions', name: 'id' },
  version: { all: '/admin/extensions/:id/versions', name: 'version' },
  instance: { all: '/admin/extensions/:id/instances', name: 'id' },
};

type Desk = Pick<ManagementDesk, 'measured' | 'policyInForce'>;

export function rowRoutes(app: App, rows: RowDesk, desk: Desk): void {
  app.register(async (scope) => {
    const own = scope as unknown as App;
    readsExactJson(own);
    for (const kind of ['extension', 'version', 'instance'] as const) {
      if (kind !== 'extension') listRoute(own, kind, rows, desk);
      readRoute(own, kind, rows, desk);
      createRoute(own, kind, rows);
      for (const method of ['PUT', 'PATCH', 'DELETE'] as const) changeRoute(own, kind, method, rows);
    }
  });
}

const nameParameter = (kind: RowKind) => Type.String({ description: `Name of the ${kind}, percent-encoded.` });
const paramsOf = (kind: RowKind) =>
  Type.Object({
    id: ID_PARAMS.properties.id,
    ...(kind === 'extension' ? {} : { name: nameParameter(kind) }),
  });
const pathOf = (kind: RowKind): string =>
  kind === 'extension' ? `${KINDS[kind].all}/:id` : `${KINDS[kind].all}/:name`;

/** `readExtension`, `listVersions`. */
const operationOf = (verb: string, kind: RowKind, ending = ''): string =>
  `${verb}${kind[0]?.toUpperCase()}${kind.slice(1)}${ending}`;

const notFoundOf = (kind: RowKind): HttpErrorCode[] =>
  kind === 'extension' ? ['extension_not_found'] : ['extension_not_found', `${kind}_not_found`];

/** Of an answer that is a row. The text is made by stringifyExactJson: the schema is for the documentation. */
const rowContent = (kind: RowKind) => ({
  description: `The ${kind}; ETag holds its revision.`,
  content: { [JSON_TYPE]: { schema: rowSchema(kind) } },
});

function listRoute(app: App, kind: 'version' | 'instance', rows: RowDesk, desk: Desk): void {
  const items = Type.Object({ items: Type.Array(listedSchema(kind)) });
  app.get(
    KINDS[kind].all,
    {
      config: { role: 'viewer' },
      schema: {
        operationId: operationOf('list', kind, 's'),
        summary: `The ${kind}s of an extension, in the order of their names`,
        params: ID_PARAMS,
        querystring: NO_PARAMETERS,
        response: {
          200: { description: `The ${kind}s.`, content: { [JSON_TYPE]: { schema: items } } },
          ...problems('extension_not_found', 'database_unavailable'),
        },
      },
    },
    async (request, reply) => {
      const id = extensionId(request.params);
      const answer = await rows.list(id, kind);
      if (answer.kind !== 'rows') throw new HttpProblem(answer.kind, answer.message);
      const measured = kind === 'instance' ? desk.measured(id) : null;
      const items = mapped(answer.rows, (row) => ({
        ...shownTo(request.principal, row),
        // The list has no ETag, so it may hold what is measured.
        ...(kind === 'instance' ? { in_flight: measured?.instance(String(row.id))?.in_flight ?? 0 } : {}),
      }));
      reply.header('vary', 'Authorization');
      return sendJson(request, reply, objectParts({}, { items }, exactly));
    },
  );
}

function listedSchema(kind: RowKind): TSchema {
  const { properties } = rowSchema(kind) as TSchema & { readonly properties: Record<string, TSchema> };
  const description = 'Attempts in flight to its subject, of this daemon.';
  return Type.Object({ ...properties, ...(kind === 'instance' ? { in_flight: Type.Integer({ description }) } : {}) });
}

function readRoute(app: App, kind: RowKind, rows: RowDesk, desk: Desk): void {
  app.get(
    pathOf(kind),
    {
      config: { role: 'viewer' },
      schema: {
        operationId: operationOf('read', kind),
        summary: `One ${kind}, as it is in the registry`,
        params: paramsOf(kind),
        querystring: kind === 'extension' ? expandQuery : NO_PARAMETERS,
        response: { 200: rowContent(kind), ...problems(...notFoundOf(kind), 'database_unavailable') },
      },
    },
    async (request, reply) => {
      const { expand: wanted = [] } = request.query as { readonly expand?: readonly Expansion[] };
      const shown = (row: JsonMap) => shownTo(request.principal, row);
      const { id } = request.params as { id: string };
      // As the lists of an expansion, beside each other.
      const [answer, more] = await Promise.all([
        rows.read(namedBy(kind, request)),
        wanted.length === 0 ? null : expandedRow(id, wanted, rows, desk, shown),
      ]);
      if (more === null || answer.kind !== 'row') return sendAnswer(request, reply, answer);
      reply.header('vary', 'Authorization');
      return sendJson(request, reply, objectParts({ ...shown(answer.row), ...more.members }, more.lists, exactly));
    },
  );
}

function createRoute(app: App, kind: RowKind, rows: RowDesk): void {
  const of: HttpErrorCode[] = kind === 'extension' ? [] : ['extension_not_found'];
  app.post(
    KINDS[kind].all,
    {
      config: { role: 'admin', body: editSchema(kind) },
      schema: {
        operationId: operationOf('create', kind),
        summary: `Create ${kind === 'version' ? 'a' : 'an'} ${kind}`,
        ...(kind === 'extension' ? {} : { params: ID_PARAMS }),
        querystring: changeQuery,
        response: {
          201: rowContent(kind),
          ...problems(...of, 'already_exists', 'row_invalid', 'database_unavailable'),
        },
      },
    },
    async (request, reply) => {
      const fields = bodyOf(request);
      const member = KINDS[kind].name;
      const own = fields[member];
      if (typeof own !== 'string') throw new HttpProblem('row_invalid', `${member} must be a text, got ${shown(own)}`);
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
      return sendAnswer(request, reply, await rows.edit(order));
    },
  );
}

const HOW = { PUT: 'replace', PATCH: 'merge', DELETE: 'delete' } as const;

const SUMMARIES = {
  PUT: (kind: RowKind) => `Replace the ${kind}, or create it with If-None-Match: *`,
  PATCH: (kind: RowKind) => `Change members of the ${kind} (RFC 7396)`,
  DELETE: (kind: RowKind) => `Delete the ${kind}`,
} as const;

function changeRoute(app: App, kind: RowKind, method: keyof typeof HOW, rows: RowDesk): void {
  const how = HOW[method];
  const refusals: HttpErrorCode[] = [
    ...notFoundOf(kind),
    'revision_conflict',
    'precondition_required',
    'database_unavailable',
  ];
  const answers =
    how === 'delete'
      ? { 204: Type.Null({ description: 'It is deleted.' }), ...problems(...refusals) }
      : { 200: rowContent(kind), 201: rowContent(kind), ...problems(...refusals, 'row_invalid') };
  if (method === 'PATCH') delete (answers as { 201?: object })[201];
  app.route({
    method,
    url: pathOf(kind),
    config: {
      role: 'admin',
      ...(how === 'delete'
        ? {}
        : {
            body: editSchema(kind, how === 'merge'),
            bodyTypes: how === 'merge' ? [JSON_TYPE, MERGE_PATCH] : [JSON_TYPE],
          }),
    },
    schema: {
      operationId: operationOf(how, kind),
      summary: SUMMARIES[method](kind),
      params: paramsOf(kind),
      querystring: changeQuery,
      headers: preconditions(method),
      response: answers,
    },
    handler: async (request, reply) => {
      const fields = how === 'delete' ? {} : bodyOf(request);
      const row = namedBy(kind, request);
      if (how !== 'delete') sameName(fields, KINDS[kind].name, kind === 'extension' ? row.extensionId : row.name);
      const expects = expectedBy(request, method);
      const revisionInBody = how === 'delete' ? null : revisionIn(fields);
      const order = { ...row, ...who(request), how, fields, expects, revisionInBody };
      return sendAnswer(request, reply, await rows.edit(order));
    },
  });
}

function named(kind: RowKind, id: string, name: string): Named {
  return { kind, extensionId: extensionId({ id }), name: kind === 'extension' ? '' : name };
}

function namedBy(kind: RowKind, { params }: FastifyRequest): Named {
  const { id, name = '' } = params as { id: string; name?: string };
  return named(kind, id, name);
}

function sendAnswer(request: FastifyRequest, reply: FastifyReply, answer: RowAnswer): FastifyReply {
  switch (answer.kind) {
    case 'row':
      if (answer.created) reply.code(201).header('location', locationOf(answer.row));
      if (answer.isFromMemory !== true) reply.header('etag', `"${answer.revision}"`);
      reply.header('vary', 'Authorization');
      return sendExactJson(reply, shownTo(request.principal, answer.row));
    case 'deleted':
      return reply.code(204).send();
    default:
      throw refusalOf(answer);
  }
}

const exactly = (row: object | null): string => stringifyExactJson(row as JsonMap);

const shownTo = ({ role }: Principal, row: JsonMap): JsonMap => (allows(role, 'operator') ? row : withoutConfig(row));

function locationOf(row: JsonMap): string {
  const part = (value: Json | undefined): string => encodeURIComponent(String(value));
  if (row.extension_id === undefined) return `/admin/extensions/${part(row.id)}`;
  const own = row.id === undefined ? `versions/${part(row.version)}` : `instances/${part(row.id)}`;
  return `/admin/extensions/${part(row.extension_id)}/${own}`;
}
