// `GET /`: where to go from here.
import { Type } from '#typebox';
import type { App } from '../app/app.js';

const TEXT = "Extension Registry: the admin API is described by /openapi.json; 'extreg --help' lists the commands.\n";

export function pageRoute(app: App): void {
  app.get(
    '/',
    {
      config: { role: 'none', isPage: true },
      schema: {
        operationId: 'start',
        summary: 'One line of text: where the API is described',
        response: { 200: { description: 'A line.', content: { 'text/plain': { schema: Type.String() } } } },
      },
    },
    async (_, reply) => reply.type('text/plain; charset=utf-8').send(TEXT),
  );
}
