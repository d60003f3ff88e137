// `GET /admin/audit`: who changed what, when and why, newest first.
import { Type } from '#typebox';
import type { ListAudit } from '../../actors/ports/audit.js';
import { allows } from '../../domain/access/principal.js';
import { auditPageParts, auditPageSchema } from '../../domain/registry/audit-answer.js';
import { AUDIT_LIMIT, auditQuery, cursorOf } from '../../domain/registry/audit-query.js';
import type { App } from '../app/app.js';
import { sendJson } from '../app/json-stream.js';
import { HttpProblem, problems } from '../app/problem.js';

const MAX_LIMIT = 1000;

const text = (maxLength: number, description: string) => Type.Optional(Type.String({ maxLength, description }));
const querySchema = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_LIMIT, default: AUDIT_LIMIT })),
    after: text(200, '`next` of the page before.'),
    extension_id: text(255, '`_`: what concerns no single extension.'),
    action: text(64, 'Such as `disable` or `version_rollout`.'),
    by: text(255, 'The actor (`admin:ada`), or a name in it (`ada`).'),
    since: text(40, 'ISO 8601: not before.'),
    until: text(40, 'ISO 8601: before.'),
    after_revision: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: Number.MAX_SAFE_INTEGER,
        description: 'Changes of the registry after this revision of it.',
      }),
    ),
  },
  { additionalProperties: false },
);

export function auditRoutes(app: App, audit: ListAudit): void {
  app.get(
    '/admin/audit',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'listAudit',
        summary: 'The audit trail, newest first',
        querystring: querySchema,
        response: { 200: auditPageSchema, ...problems('database_unavailable') },
      },
    },
    async (request, reply) => {
      const query = auditQuery(request.query);
      if ('problem' in query) throw new HttpProblem('invalid_request', query.problem);
      const page = await audit(query);
      if (page.kind !== 'page') throw new HttpProblem(page.kind, page.message);
      const next = page.next === null ? null : cursorOf(page.next);
      return sendJson(request, reply, auditPageParts(page.rows, next, !allows(request.principal.role, 'operator')));
    },
  );
}
