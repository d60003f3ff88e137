// `/admin/extensions/:id/rollout`: GET what the shares of its versions are and were, POST the percentage of one.
import { Type } from '#typebox';
import type { RolloutDesk } from '../../actors/ports/api.js';
import { percentProblem } from '../../domain/registry/rollout.js';
import { rolloutSetSchema, rolloutSharesSchema } from '../../domain/registry/rollout-answer.js';
import { isExtensionId, NO_ID } from '../../domain/registry/subject-rules.js';
import type { App } from '../app/app.js';
import { errorBody, errorBodySchema, HTTP_ERRORS } from '../app/http-errors.js';
import { NO_PARAMETERS } from '../app/query-string.js';
import { actorOf, CHANGE_FIELDS, MAX_CHANGE_BYTES, storageProblems } from '../app/strict-body.js';

const HISTORY = 20;
const MAX_HISTORY = 200;
const paramsSchema = Type.Object({ id: Type.String() });
const errors = { '4xx': errorBodySchema, '5xx': errorBodySchema };

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
      schema: {
        params: paramsSchema,
        querystring: NO_PARAMETERS,
        body: bodySchema,
        response: { 200: rolloutSetSchema, ...errors },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const { version, percent, reason, by } = request.body;
      const problem = isExtensionId(id) ? bodyProblem(percent, { version, reason, by }) : NO_ID;
      if (problem !== null) {
        reply.code(400);
        return errorBody('invalid_request', problem);
      }
      const answer = await rollout.set({ extensionId: id, version, percent, reason, actor: actorOf(by) });
      if (answer.kind !== 'set') {
        reply.code(HTTP_ERRORS[answer.kind].status);
        return errorBody(answer.kind, answer.message);
      }
      const { was, changed, revision, inForce } = answer;
      return { extension_id: id, version, percent, was, changed, revision, in_force: inForce };
    },
  );
}

function reportRoute(app: App, rollout: RolloutDesk): void {
  app.get(
    '/admin/extensions/:id/rollout',
    {
      schema: {
        params: paramsSchema,
        querystring: Type.Object(
          { limit: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_HISTORY })) },
          { additionalProperties: false },
        ),
        response: { 200: rolloutSharesSchema, ...errors },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      if (!isExtensionId(id)) {
        reply.code(400);
        return errorBody('invalid_request', NO_ID);
      }
      const answer = await rollout.report(id, request.query.limit ?? HISTORY);
      if (answer.kind !== 'report') {
        reply.code(HTTP_ERRORS[answer.kind].status);
        return errorBody(answer.kind, answer.message);
      }
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
