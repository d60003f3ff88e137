// `GET /admin/extensions/:id/explain?tenant_id=…`: what would become of a call; each parameter is a key of its context.
import type { Explain } from '../../actors/ports/api.js';
import { askedContext } from '../../domain/routing/explain-context.js';
import { explanationSchema } from '../../domain/routing/explanation-schema.js';
import type { App } from '../app/app.js';
import { extensionId, ID_PARAMS } from '../app/path-id.js';
import { HttpProblem, problems } from '../app/problem.js';

export function explainRoutes(app: App, explain: Explain): void {
  app.get(
    '/admin/extensions/:id/explain',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'explain',
        summary: 'What would happen to a call; each parameter is a key of its context',
        params: ID_PARAMS,
        response: { 200: explanationSchema, ...problems('extension_not_found') },
      },
    },
    async (request) => {
      const id = extensionId(request.params);
      const asked = askedContext(parametersOf(request.url));
      if ('problem' in asked) throw new HttpProblem('invalid_request', asked.problem);
      const explanation = explain(id, asked.context);
      if (explanation === null) throw new HttpProblem('extension_not_found', `no extension '${id}'`);
      return explanation;
    },
  );
}

/** As they stand there: a record would have lost what is given twice. */
function parametersOf(url: string): URLSearchParams {
  const start = url.indexOf('?');
  return new URLSearchParams(start === -1 ? '' : url.slice(start + 1));
}
