// `POST /admin/extensions/:id/replay`: when the breaker would have opened under another policy. It changes nothing.
import type { ManagementDesk } from '../../actors/ports/management.js';
import { replayAnswerSchema, replayRequestSchema } from '../../domain/breaker/replay-answer.js';
import type { App } from '../app/app.js';
import { extensionId, ID_PARAMS } from '../app/path-id.js';
import { HttpProblem, problems } from '../app/problem.js';
import { NO_PARAMETERS } from '../app/query-string.js';

const MAX_POLICY_BYTES = 262_144;

export function replayRoutes(app: App, replay: ManagementDesk['replay']): void {
  app.post(
    '/admin/extensions/:id/replay',
    {
      bodyLimit: MAX_POLICY_BYTES,
      config: { role: 'viewer' },
      schema: {
        operationId: 'replay',
        summary: 'When the breaker would have opened under another policy, beside when it did; changes nothing',
        params: ID_PARAMS,
        querystring: NO_PARAMETERS,
        body: replayRequestSchema,
        response: { 200: replayAnswerSchema, ...problems('extension_not_found', 'too_many_requests') },
      },
    },
    async (request) => {
      const { policy, since = null } = request.body;
      const result = await replay(extensionId(request.params), policy, since);
      if (result.kind !== 'replayed') throw new HttpProblem(result.kind, result.message);
      return result.answer;
    },
  );
}
