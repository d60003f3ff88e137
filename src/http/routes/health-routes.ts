// `GET /admin/extensions/health` and `GET /admin/extensions/:id/health`.
import { Type } from '#typebox';
import type { HealthSource } from '../../actors/ports/api.js';
import { extensionHealthSchema, healthReportSchema } from '../../domain/health/health-schema.js';
import { jsonParts } from '../../domain/json-parts.js';
import { isExtensionId, NO_ID } from '../../domain/registry/subject-rules.js';
import type { App } from '../app/app.js';
import { errorBody, errorBodySchema } from '../app/http-errors.js';
import { sendJson } from '../app/json-stream.js';
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
    { schema: { querystring: pageSchema, response: { 200: healthReportSchema, '4xx': errorBodySchema } } },
    async (request, reply) => {
      const { extensions, ...rest } = await health.list(request.query);
      return sendJson(request, reply, jsonParts('extensions', extensions, rest));
    },
  );

  app.get(
    '/admin/extensions/:id/health',
    {
      schema: {
        params: Type.Object({ id: Type.String() }),
        querystring: NO_PARAMETERS,
        response: { 200: extensionHealthSchema, '4xx': errorBodySchema },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      if (!isExtensionId(id)) {
        reply.code(400);
        return errorBody('invalid_request', NO_ID);
      }
      const one = health.one(id);
      if (one === null) {
        reply.code(404);
        return errorBody('extension_not_found', `no extension '${id}'`);
      }
      return sendJson(request, reply, one);
    },
  );
}
