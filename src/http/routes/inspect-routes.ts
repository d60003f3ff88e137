// `GET /inspect/targets`: what can be watched. `/inspect` itself is a WebSocket (websocket.ts).
import { Type } from '#typebox';
import type { App } from '../app/app.js';
import { HttpProblem, problems } from '../app/problem.js';
import { NO_PARAMETERS } from '../app/query-string.js';
import type { OpenSocket } from '../app/websocket.js';

export const INSPECT_PATH = '/inspect';

const targetsSchema = Type.Object({
  targets: Type.Array(Type.Object({ extension_id: Type.String(), version: Type.String(), state: Type.String() })),
});

/** What the hub of the inspection offers. */
export interface Inspection {
  targets(): { extension_id: string; version: string; state: string }[];
  readonly open: OpenSocket;
}

export function inspectRoutes(app: App, inspection: Inspection): void {
  app.get(
    '/inspect/targets',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'listInspectionTargets',
        summary: 'The targets that can be inspected, with the state of their breakers',
        querystring: NO_PARAMETERS,
        response: { 200: targetsSchema },
      },
    },
    async () => ({
      targets: inspection.targets(),
    }),
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
