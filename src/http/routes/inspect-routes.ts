// `GET /inspect/targets`: what can be watched. `/inspect` itself is a WebSocket (websocket.ts).
import { Type } from '#typebox';
import { objectParts } from '../../domain/json-parts.js';
import { orNull } from '../../domain/registry/answer-schema.js';
import type { App } from '../app/app.js';
import { sendJson } from '../app/json-stream.js';
import { HttpProblem, problems } from '../app/problem.js';
import type { OpenSocket } from '../app/websocket.js';

export const INSPECT_PATH = '/inspect';

const targetsSchema = Type.Object({
  targets: Type.Array(Type.Object({ extension_id: Type.String(), version: Type.String(), state: Type.String() })),
  next: Type.Optional(orNull<string>('string', { description: 'With `limit`, for `after`; null: there are no more.' })),
});

interface Target {
  readonly extension_id: string;
  readonly version: string;
  readonly state: string;
}

/** What the hub of the inspection offers. */
export interface Inspection {
  /** In order of the extensions' ids, behind `after`; each is found when it is asked for. */
  targets(after?: string): Iterable<Target>;
  readonly open: OpenSocket;
}

const listQuery = Type.Object(
  {
    limit: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 1000, description: 'Extensions of a page; all unless given.' }),
    ),
    after: Type.Optional(Type.String({ maxLength: 255, description: '`next` of the page before.' })),
    q: Type.Optional(Type.String({ maxLength: 255, description: 'Part of an id, in any case.' })),
  },
  { additionalProperties: false },
);

export function inspectRoutes(app: App, inspection: Inspection): void {
  app.get(
    '/inspect/targets',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'listInspectionTargets',
        summary: 'The targets that can be inspected, with the state of their breakers',
        querystring: listQuery,
        response: { 200: targetsSchema },
      },
    },
    async (request, reply) => {
      const { limit, after, q = '' } = request.query;
      const found = matching(inspection.targets(after), q.toLowerCase());
      if (limit === undefined) return sendJson(request, reply, objectParts({}, { targets: found }));
      const { targets, next } = pageOf(found, limit);
      return sendJson(request, reply, objectParts({ next }, { targets }));
    },
  );

  app.get(
    INSPECT_PATH,
    {
      config: { role: 'none' },
      schema: {
        operationId: 'inspect',
        summary: 'A WebSocket: the frames of the XState inspector for the targets that the query selects',
        response: problems('upgrade_required'),
      },
    },
    async (_, reply) => {
      reply.header('upgrade', 'websocket');
      const message = 'this path is a WebSocket: ws://<host>/inspect?extension=<id>';
      throw new HttpProblem('upgrade_required', message);
    },
  );
}

function* matching(targets: Iterable<Target>, part: string): Generator<Target> {
  for (const target of targets) if (target.extension_id.toLowerCase().includes(part)) yield target;
}

/** Whole extensions. */
function pageOf(found: Iterable<Target>, limit: number): { readonly targets: Target[]; readonly next: string | null } {
  const targets: Target[] = [];
  let extensions = 0;
  for (const target of found) {
    const last = targets.at(-1)?.extension_id;
    if (target.extension_id !== last && ++extensions > limit) return { targets, next: last ?? null };
    targets.push(target);
  }
  return { targets, next: null };
}
