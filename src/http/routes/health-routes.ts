// `GET /admin/extensions/health` and `GET /admin/extensions/:id/health`.
import { Type } from '#typebox';
import type { HealthSource } from '../../actors/ports/api.js';
import { isHealthy } from '../../domain/health/health-report.js';
import { extensionHealthSchema, healthReportSchema } from '../../domain/health/health-schema.js';
import { isExtensionId, NO_ID } from '../../domain/registry/subject-rules.js';
import type { App } from '../app/app.js';
import { errorBody, errorBodySchema } from '../app/http-errors.js';
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
    async (request) => {
      const { limit, offset = 0, unhealthy = false } = request.query;
      const report = health.report();
      const extensions = report.extensions
        .filter(
          ({ enabled, health: { circuit_breaker_state } }) => !(unhealthy && isHealthy(enabled, circuit_breaker_state)),
        )
        .sort((a, b) => (a.id < b.id ? -1 : 1));
      // Summary and refused rows are always those of the whole.
      return {
        ...report,
        extensions: limit === undefined ? extensions : extensions.slice(offset, offset + limit),
      };
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
      return one;
    },
  );
}
