// `GET /admin/extensions/:id/explain?tenant_id=…`: what would become of a call; each parameter is a key of its context.
import { Type } from '#typebox';
import type { Explain } from '../../actors/ports/api.js';
import { isExtensionId, NO_ID } from '../../domain/registry/subject-rules.js';
import { askedContext } from '../../domain/routing/explain-context.js';
import { explanationSchema } from '../../domain/routing/explanation-schema.js';
import type { App } from '../app/app.js';
import { errorBody, errorBodySchema } from '../app/http-errors.js';

export function explainRoutes(app: App, explain: Explain): void {
  app.get(
    '/admin/extensions/:id/explain',
    {
      schema: {
        params: Type.Object({ id: Type.String() }),
        response: { 200: explanationSchema, '4xx': errorBodySchema },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const asked = isExtensionId(id) ? askedContext(parametersOf(request.url)) : { problem: NO_ID };
      if ('problem' in asked) {
        reply.code(400);
        return errorBody('invalid_request', asked.problem);
      }
      const explanation = explain(id, asked.context);
      if (explanation === null) {
        reply.code(404);
        return errorBody('extension_not_found', `no extension '${id}'`);
      }
      return explanation;
    },
  );
}

/** As they stand there: a record would have lost what is given twice. */
function parametersOf(url: string): URLSearchParams {
  const start = url.indexOf('?');
  return new URLSearchParams(start === -1 ? '' : url.slice(start + 1));
}
