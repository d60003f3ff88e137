// `GET /inspect/targets`: what can be watched. `/inspect` itself is a WebSocket (websocket.ts).
import { Type } from '#typebox';
import type { App } from '../app/app.js';
import { errorBody, errorBodySchema } from '../app/http-errors.js';
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
    { schema: { querystring: NO_PARAMETERS, response: { 200: targetsSchema, '4xx': errorBodySchema } } },
    async () => ({
      targets: inspection.targets(),
    }),
  );

  app.get(INSPECT_PATH, { schema: { response: { 426: errorBodySchema } } }, async (_, reply) => {
    reply.code(426).header('upgrade', 'websocket');
    return errorBody('upgrade_required', 'this path is a WebSocket: ws://<host>/inspect?extension=<id>');
  });
}
