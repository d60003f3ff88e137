// `GET /admin/extensions/health` and `GET /admin/extensions/:id/health`.
import { Type } from '#typebox';
import type { HealthSource } from '../../actors/ports/api.js';
import { extensionHealthSchema, healthReportSchema } from '../../domain/health/health-schema.js';
import type { App } from '../app/app.js';
import { jsonBytes, sendJson } from '../app/json-stream.js';
import { extensionId, ID_PARAMS } from '../app/path-id.js';
import { HttpProblem, problems } from '../app/problem.js';
import { NO_PARAMETERS } from '../app/query-string.js';

const pageSchema = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100_000 })),
    offset: Type.Optional(Type.Integer({ minimum: 0, maximum: 10_000_000 })),
    /** Only those that the summary counts as unhealthy. */
    unhealthy: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false, dependencies: { offset: ['limit'] } },
);

export function healthRoutes(app: App, health: HealthSource): void {
  app.get(
    '/admin/extensions/health',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'listHealth',
        summary: 'The health of all extensions, or of a part of them, with the summary of all',
        querystring: pageSchema,
        response: { 200: healthReportSchema },
      },
    },
    async (request, reply) => {
      const { extensions, ...rest } = await health.list(request.query);
      return sendJson(request, reply, jsonBytes('extensions', extensions, rest));
    },
  );

  app.get(
    '/admin/extensions/:id/health',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'readHealth',
        summary: 'The health of one extension, its versions and instances',
        params: ID_PARAMS,
        querystring: NO_PARAMETERS,
        response: { 200: extensionHealthSchema, ...problems('extension_not_found') },
      },
    },
    async (request, reply) => {
      const id = extensionId(request.params);
      const one = health.one(id);
      if (one === null) throw new HttpProblem('extension_not_found', health.absence(id));
      return sendJson(request, reply, one);
    },
  );
}
