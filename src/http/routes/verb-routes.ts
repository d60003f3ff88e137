// `POST /admin/extensions/:id/<verb>`: an operator's verbs on an extension or one version of it.
import { Type } from '#typebox';
import type { ExecuteVerb } from '../../actors/ports/api.js';
import { actorOf } from '../../domain/access/principal.js';
import { verbAnswerSchema } from '../../domain/registry/verb-answer.js';
import { needsReason, VERBS, type Verb } from '../../domain/registry/verbs.js';
import type { App } from '../app/app.js';
import { extensionId, ID_PARAMS } from '../app/path-id.js';
import { HttpProblem, problems } from '../app/problem.js';
import { NO_PARAMETERS } from '../app/query-string.js';
import { CHANGE_FIELDS, MAX_CHANGE_BYTES, OPTIONAL_REASON, storageProblems } from '../app/strict-body.js';

const VERSION = Type.Optional(
  Type.String({ minLength: 1, maxLength: 32, description: 'Without one: every target of the extension.' }),
);
const withReason = Type.Object({ ...CHANGE_FIELDS, version: VERSION }, { additionalProperties: false });
const anyReason = Type.Object({ ...OPTIONAL_REASON, version: VERSION }, { additionalProperties: false });

const VERB_SUMMARIES: Readonly<Record<Verb, string>> = {
  enable: 'Enable the extension, or one version of it',
  disable: 'Disable the extension, or one version of it',
  isolate: 'Refuse every call, until it is released',
  'force-closed': 'Let every call through, whatever the breaker measures, until it is released',
  release: 'End an isolation or a forced closed breaker',
  reset: 'Close the breaker and forget what it measured',
};

export function verbRoutes(app: App, execute: ExecuteVerb): void {
  for (const verb of VERBS) verbRoute(app, verb, execute);
}

function verbRoute(app: App, verb: Verb, execute: ExecuteVerb): void {
  app.post(
    `/admin/extensions/:id/${verb}`,
    {
      bodyLimit: MAX_CHANGE_BYTES,
      config: { role: 'operator' },
      schema: {
        operationId: verb.replace(/-(.)/, (_, first: string) => first.toUpperCase()),
        summary: VERB_SUMMARIES[verb],
        params: ID_PARAMS,
        querystring: NO_PARAMETERS,
        body: needsReason(verb) ? withReason : anyReason,
        response: {
          200: verbAnswerSchema,
          ...problems('extension_not_found', 'version_not_found', 'database_unavailable'),
        },
      },
    },
    async (request) => {
      const id = extensionId(request.params);
      const { reason = null, version = null, by } = request.body;
      const problem = storageProblems({ reason, version, by });
      if (problem !== null) throw new HttpProblem('invalid_request', problem);
      const actor = actorOf(request.principal, by);
      const answer = await execute({ extensionId: id, version, verb, reason, actor });
      if (answer.kind !== 'in_force') throw new HttpProblem(answer.kind, answer.message);
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
