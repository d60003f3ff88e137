// `GET /admin/audit`: who changed what, when and why, newest first.
import { Type } from '#typebox';
import type { AuditPosition, ListAudit } from '../../actors/ports/audit.js';
import { allows } from '../../domain/access/principal.js';
import { quoted } from '../../domain/quoted.js';
import { auditPageParts, auditPageSchema } from '../../domain/registry/audit-answer.js';
import type { App } from '../app/app.js';
import { sendJson } from '../app/json-stream.js';
import { HttpProblem, problems } from '../app/problem.js';

const LIMIT = 100;
const MAX_LIMIT = 1000;

const text = (maxLength: number, description: string) => Type.Optional(Type.String({ maxLength, description }));
const querySchema = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_LIMIT, default: LIMIT })),
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
      const { limit = LIMIT, after, extension_id, action, by, since, until, after_revision } = request.query;
      const page = await audit({
        limit,
        after: after === undefined ? null : positionIn(after),
        extensionId: extension_id ?? null,
        action: action ?? null,
        by: by ?? null,
        since: since === undefined ? null : timeIn('since', since),
        until: until === undefined ? null : timeIn('until', until),
        afterRevision: after_revision ?? null,
      });
      if (page.kind !== 'page') throw new HttpProblem(page.kind, page.message);
      const next = page.next === null ? null : cursorOf(page.next);
      return sendJson(request, reply, auditPageParts(page.rows, next, !allows(request.principal.role, 'operator')));
    },
  );
}

const cursorOf = ({ at, id }: AuditPosition): string => Buffer.from(`${at} ${id}`).toString('base64url');

function positionIn(cursor: string): AuditPosition {
  const [, at, id] = CURSOR.exec(Buffer.from(cursor, 'base64url').toString()) ?? [];
  // The database refuses the 30th of February, which a Date takes for the 2nd of March.
  const time = at === undefined ? Number.NaN : Date.parse(at);
  const isTime = !Number.isNaN(time) && new Date(time).toISOString().slice(0, 19) === at?.slice(0, 19);
  if (at === undefined || id === undefined || !isTime)
    throw new HttpProblem('invalid_request', `parameter 'after' must be the 'next' of a page, got ${quoted(cursor)}`);
  return { at, id };
}
const CURSOR = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;

const TIME = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d))?$/;

/** In UTC. */
function timeIn(name: string, given: string): string {
  const time = TIME.test(given) ? Date.parse(given) : Number.NaN;
  if (Number.isNaN(time) || time < 0)
    throw new HttpProblem(
      'invalid_request',
      `parameter '${name}' must be a time such as 2026-01-31T23:14:00Z, got ${quoted(given)}`,
    );
  return new Date(time).toISOString();
}
