// `GET /admin/overview`, `/admin/sparklines`, `/admin/extensions`, and the history and last failures of one extension.
import { Type } from '#typebox';
import type { BoardSource, OfVersion } from '../../actors/ports/board.js';
import { BOARD_STATES } from '../../domain/board-codes.js';
import { objectParts } from '../../domain/json-parts.js';
import { EXTENSION_TYPES } from '../../domain/registry/extension.js';
import { listQueryOf } from '../../domain/registry/list-query.js';
import type { App } from '../app/app.js';
import { hasTag } from '../app/etags.js';
import { jsonBytes, sendJson } from '../app/json-stream.js';
import { extensionId, ID_PARAMS } from '../app/path-id.js';
import { HttpProblem, problems } from '../app/problem.js';
import { integers, NO_PARAMETERS, oneOfIntegers, oneOfWords, someOfWords, texts } from '../app/query-string.js';
import { failuresSchema, historySchema, listSchema, overviewSchema, sparklinesSchema } from './board-schema.js';

const MAX_SPARKLINES = 200;
const DEFAULT_LIMIT = 100;
/** A request line and its headers may have 16 KiB, and an id 255 characters. */
const MAX_IDS = 60;

const listQuery = Type.Object(
  {
    limit: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 1000, description: `Items at most; ${DEFAULT_LIMIT} unless given.` }),
    ),
    after: Type.Optional(Type.String({ maxLength: 2000, description: '`next` of the page before.' })),
    q: Type.Optional(Type.String({ maxLength: 255, description: 'Part of an id, in any case.' })),
    id: Type.Optional(texts(MAX_IDS, 255, `These extensions alone; at most ${MAX_IDS}, which fit into a URL.`)),
    state: Type.Optional(someOfWords(BOARD_STATES, 'In one of these states.')),
    type: Type.Optional(someOfWords(EXTENSION_TYPES, 'Of one of these types.')),
    enabled: Type.Optional(Type.Boolean()),
    auto_disabled: Type.Optional(Type.Boolean()),
    override: Type.Optional(oneOfWords(['isolated', 'forced_closed', 'none'], 'With this override of its breaker.')),
    wrong: Type.Optional(
      Type.Boolean({ description: 'true: only what is not well, by impact unless sorted otherwise.' }),
    ),
    sort: Type.Optional(texts(5, 40, 'Columns in order, each with - before it for descending; the id ends it.')),
  },
  { additionalProperties: false },
);

const NOT_MODIFIED = Type.Unsafe<undefined>({ description: 'Nothing has changed.' });

const versionParameter = {
  version: Type.Optional(Type.String({ maxLength: 32, description: 'The default version unless given.' })),
};

export function boardRoutes(app: App, board: BoardSource): void {
  overviewRoutes(app, board);
  listRoute(app, board);
  historyRoute(app, board);
  failuresRoute(app, board);
}

function overviewRoutes(app: App, board: BoardSource): void {
  app.get(
    '/admin/overview',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'readOverview',
        summary: 'All extensions as columns; 304 where nothing has changed since the ETag of If-None-Match',
        querystring: NO_PARAMETERS,
        response: { 200: overviewSchema, 304: NOT_MODIFIED },
      },
    },
    async (request, reply) => {
      const known = request.headers['if-none-match'];
      const { tag, parts } = await board.overview((one) => hasTag(known, one));
      reply.header('etag', `W/"${tag}"`).header('vary', 'authorization');
      return parts === null ? reply.code(304).send(undefined) : sendJson(request, reply, parts);
    },
  );
  app.get(
    '/admin/sparklines',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'readSparklines',
        summary: 'Calls and failures of the last ten minutes, in slots of ten seconds',
        querystring: Type.Object(
          { k: integers(MAX_SPARKLINES, Number.MAX_SAFE_INTEGER, 'Numbers of extensions, as in the overview.') },
          { additionalProperties: false },
        ),
        response: { 200: sparklinesSchema },
      },
    },
    async (request, reply) => {
      const { calls, failed, ...rest } = await board.sparklines(request.query.k);
      return sendJson(request, reply, objectParts(rest, { calls, failed }));
    },
  );
}

function listRoute(app: App, board: BoardSource): void {
  app.get(
    '/admin/extensions',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'listExtensions',
        summary: 'Extensions with a summary of their health, filtered, sorted, in pages',
        querystring: listQuery,
        response: { 200: listSchema },
      },
    },
    async (request, reply) => {
      const answer = await board.list(listQueryOf(request.query, DEFAULT_LIMIT));
      if (answer.kind === 'invalid') throw new HttpProblem('invalid_request', answer.message);
      const { items, next, total, revision } = answer;
      return sendJson(request, reply, jsonBytes('items', items, { next, total, revision }));
    },
  );
}

function historyRoute(app: App, board: BoardSource): void {
  app.get(
    '/admin/extensions/:id/history',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'readHistory',
        summary: 'What one version did over the last hours, and what was changed meanwhile',
        params: ID_PARAMS,
        querystring: Type.Object(
          {
            ...versionParameter,
            step: Type.Optional(
              oneOfIntegers([10, 60], 'Seconds of a slot: 10 for ten minutes, 60 for four hours; 10 unless given.'),
            ),
            from: Type.Optional(
              Type.Integer({
                minimum: 0,
                maximum: 99_999_999_999,
                description: 'Epoch seconds: slots that begin before are left out.',
              }),
            ),
          },
          { additionalProperties: false },
        ),
        response: { 200: historySchema, ...problems('extension_not_found', 'version_not_found') },
      },
    },
    async (request, reply) => {
      const id = extensionId(request.params);
      const { version = null, step = 10, from } = request.query;
      return sendJson(request, reply, whole(found(await board.history(id, version, step, from), id, version)));
    },
  );
}

function failuresRoute(app: App, board: BoardSource): void {
  app.get(
    '/admin/extensions/:id/failures',
    {
      config: { role: 'operator' },
      schema: {
        operationId: 'readFailures',
        summary: 'The last 32 failed attempts of one version, newest first',
        params: ID_PARAMS,
        querystring: Type.Object(versionParameter, { additionalProperties: false }),
        response: { 200: failuresSchema, ...problems('extension_not_found', 'version_not_found') },
      },
    },
    async (request) => {
      const id = extensionId(request.params);
      const { version = null } = request.query;
      const failures = found(board.failures(id, version), id, version);
      return {
        failures: failures.map(({ atMs, kind, code, message, instanceId, attempt, durationMs }) => ({
          at: new Date(atMs).toISOString(),
          kind,
          ...(code === null ? {} : { code }),
          ...(message === null ? {} : { message }),
          instance_id: instanceId,
          attempt,
          duration_ms: Math.round(durationMs * 100) / 100,
        })),
      };
    },
  );
}

function* whole(answer: object): Generator<string> {
  yield JSON.stringify(answer);
}

function found<T extends object>(answer: OfVersion<T>, id: string, version: string | null): T {
  if (answer === 'extension_not_found') throw new HttpProblem(answer, `no extension '${id}'`);
  if (answer === 'version_not_found') throw new HttpProblem(answer, `no version '${version}' of ${id}`);
  return answer;
}
