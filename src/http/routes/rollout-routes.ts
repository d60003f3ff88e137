// `/admin/extensions/:id/rollout`: GET what the shares of its versions are and were, POST the percentage of one.
import { Type } from '#typebox';
import type { RolloutDesk } from '../../actors/ports/api.js';
import { actorOf } from '../../domain/access/principal.js';
import { percentProblem } from '../../domain/registry/rollout.js';
import { rolloutSetSchema, rolloutSharesSchema } from '../../domain/registry/rollout-answer.js';
import type { App } from '../app/app.js';
import { extensionId, ID_PARAMS } from '../app/path-id.js';
import { HttpProblem, problems } from '../app/problem.js';
import { NO_PARAMETERS } from '../app/query-string.js';
import { CHANGE_FIELDS, MAX_CHANGE_BYTES, storageProblems } from '../app/strict-body.js';

const HISTORY = 20;
const MAX_HISTORY = 200;

const bodySchema = Type.Object(
  {
    version: Type.String({ minLength: 1, maxLength: 32 }),
    percent: Type.Unsafe<number | null>({
      type: ['number', 'null'],
      description: '0 to 100 with at most two digits after the point; null: taken out of the rollout.',
    }),
    ...CHANGE_FIELDS,
  },
  { additionalProperties: false },
);
export function rolloutRoutes(app: App, rollout: RolloutDesk): void {
  setRoute(app, rollout);
  reportRoute(app, rollout);
}

function setRoute(app: App, rollout: RolloutDesk): void {
  app.post(
    '/admin/extensions/:id/rollout',
    {
      bodyLimit: MAX_CHANGE_BYTES,
      config: { role: 'operator' },
      schema: {
        operationId: 'setRollout',
        summary: 'Set the percentage of the calls that one version gets',
        params: ID_PARAMS,
        querystring: NO_PARAMETERS,
        body: bodySchema,
        response: {
          200: rolloutSetSchema,
          ...problems(
            'extension_not_found',
            'version_not_found',
            'version_has_rules',
            'rollout_over_100',
            'rollout_keys_differ',
            'database_unavailable',
          ),
        },
      },
    },
    async (request) => {
      const id = extensionId(request.params);
      const { version, percent, reason, by } = request.body;
      const problem = bodyProblem(percent, { version, reason, by });
      if (problem !== null) throw new HttpProblem('invalid_request', problem);
      const actor = actorOf(request.principal, by);
      const answer = await rollout.set({ extensionId: id, version, percent, reason, actor });
      if (answer.kind !== 'set') throw new HttpProblem(answer.kind, answer.message);
      const { was, changed, revision, inForce } = answer;
      return { extension_id: id, version, percent, was, changed, revision, in_force: inForce };
    },
  );
}

function reportRoute(app: App, rollout: RolloutDesk): void {
  app.get(
    '/admin/extensions/:id/rollout',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'readRollout',
        summary: 'The shares of the versions, and the last changes of them',
        params: ID_PARAMS,
        querystring: Type.Object(
          { limit: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_HISTORY })) },
          { additionalProperties: false },
        ),
        response: { 200: rolloutSharesSchema, ...problems('extension_not_found', 'database_unavailable') },
      },
    },
    async (request) => {
      const id = extensionId(request.params);
      const answer = await rollout.report(id, request.query.limit ?? HISTORY);
      if (answer.kind !== 'report') throw new HttpProblem(answer.kind, answer.message);
      return {
        extension_id: id,
        revision: answer.revision,
        default_version: answer.defaultVersion,
        versions: answer.versions.map(({ hasRules, key, ...version }) => ({
          ...version,
          has_rules: hasRules,
          rollout_key: key,
        })),
        history: answer.history,
      };
    },
  );
}

function bodyProblem(percent: number | null, texts: Readonly<Record<string, string | undefined>>): string | null {
  const problem = percent === null ? null : percentProblem(percent);
  return problem === null ? storageProblems(texts) : `body/percent ${problem}`;
}
