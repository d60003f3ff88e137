// `POST /admin/extensions/:id/<verb>`: an operator's verbs on an extension or one version of it.
import { Type } from '#typebox';
import type { ExecuteVerb } from '../../actors/ports/api.js';
import { isExtensionId, NO_ID } from '../../domain/registry/subject-rules.js';
import { verbAnswerSchema } from '../../domain/registry/verb-answer.js';
import { VERBS, type Verb } from '../../domain/registry/verbs.js';
import type { App } from '../app/app.js';
import { errorBody, errorBodySchema, HTTP_ERRORS } from '../app/http-errors.js';
import { NO_PARAMETERS } from '../app/query-string.js';
import { actorOf, CHANGE_FIELDS, MAX_CHANGE_BYTES, storageProblems } from '../app/strict-body.js';

const bodySchema = Type.Object(
  {
    reason: CHANGE_FIELDS.reason,
    version: Type.Optional(
      Type.String({ minLength: 1, maxLength: 32, description: 'Without one: every target of the extension.' }),
    ),
    by: CHANGE_FIELDS.by,
  },
  { additionalProperties: false },
);
export function verbRoutes(app: App, execute: ExecuteVerb): void {
  for (const verb of VERBS) verbRoute(app, verb, execute);
}

function verbRoute(app: App, verb: Verb, execute: ExecuteVerb): void {
  app.post(
    `/admin/extensions/:id/${verb}`,
    {
      bodyLimit: MAX_CHANGE_BYTES,
      schema: {
        params: Type.Object({ id: Type.String() }),
        querystring: NO_PARAMETERS,
        body: bodySchema,
        response: { 200: verbAnswerSchema, '4xx': errorBodySchema, '5xx': errorBodySchema },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const { reason, version = null, by } = request.body;
      const problem = isExtensionId(id) ? storageProblems({ reason, version, by }) : NO_ID;
      if (problem !== null) {
        reply.code(400);
        return errorBody('invalid_request', problem);
      }
      const answer = await execute({ extensionId: id, version, verb, reason, actor: actorOf(by) });
      if (answer.kind !== 'in_force') {
        reply.code(HTTP_ERRORS[answer.kind].status);
        return errorBody(answer.kind, answer.message);
      }
      return {
        extension_id: id,
        ...(version === null ? {} : { version }),
        verb,
        revision: answer.revision,
        owed: answer.owed,
        enabled: answer.enabled,
        auto_disabled: answer.autoDisabled,
        override: answer.override,
        circuit_breaker_state: answer.breakerState,
      };
    },
  );
}
