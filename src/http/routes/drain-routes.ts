// `POST /admin/extensions/:id/instances/:instance/drain` and `…/undrain`: no new calls for an instance, and calls again.
import { Type } from '#typebox';
import type { InstanceDesk, WeightAnswer } from '../../actors/ports/instances.js';
import { actorOf } from '../../domain/access/principal.js';
import { drainedSchema, undrainedSchema } from '../../domain/registry/weight-answer.js';
import type { App } from '../app/app.js';
import { extensionId, ID_PARAMS } from '../app/path-id.js';
import { HttpProblem, problems } from '../app/problem.js';
import { NO_PARAMETERS } from '../app/query-string.js';
import { CHANGE_FIELDS, MAX_CHANGE_BYTES, OPTIONAL_REASON, storageProblems } from '../app/strict-body.js';

const paramsSchema = Type.Object({
  id: ID_PARAMS.properties.id,
  instance: Type.String({ description: 'Id of the instance, percent-encoded.' }),
});
const drainSchema = Type.Object(CHANGE_FIELDS, { additionalProperties: false });
const undrainSchema = Type.Object(
  {
    weight: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 100, description: 'Without one: that before the last drain, else 100.' }),
    ),
    ...OPTIONAL_REASON,
  },
  { additionalProperties: false },
);
const refusals = problems('extension_not_found', 'instance_not_found', 'database_unavailable');

export function drainRoutes(app: App, instances: InstanceDesk): void {
  app.post(
    '/admin/extensions/:id/instances/:instance/drain',
    {
      bodyLimit: MAX_CHANGE_BYTES,
      config: { role: 'operator' },
      schema: {
        operationId: 'drainInstance',
        summary: 'Give the instance no new calls; those in flight end as they would have',
        params: paramsSchema,
        querystring: NO_PARAMETERS,
        body: drainSchema,
        response: { 200: drainedSchema, ...refusals },
      },
    },
    async (request) => {
      const { reason, by } = request.body;
      const order = { ...named(request.params, { reason, by }), reason, actor: actorOf(request.principal, by) };
      const { was, revision, inForce, inFlight } = weightIn(await instances.drain(order));
      return { weight: 0, was, in_flight: inFlight, revision, in_force: inForce };
    },
  );

  app.post(
    '/admin/extensions/:id/instances/:instance/undrain',
    {
      bodyLimit: MAX_CHANGE_BYTES,
      config: { role: 'operator' },
      schema: {
        operationId: 'undrainInstance',
        summary: 'Give a drained instance calls again',
        params: paramsSchema,
        querystring: NO_PARAMETERS,
        body: undrainSchema,
        response: { 200: undrainedSchema, ...refusals },
      },
    },
    async (request) => {
      const { weight: given = null, reason = null, by } = request.body;
      const row = named(request.params, { reason, by });
      const order = { ...row, weight: given, reason, actor: actorOf(request.principal, by) };
      const { weight, was, revision, inForce } = weightIn(await instances.undrain(order));
      return { weight, was, revision, in_force: inForce };
    },
  );
}

function named(
  { id, instance }: { readonly id: string; readonly instance: string },
  texts: Readonly<Record<string, string | null | undefined>>,
) {
  const extension = extensionId({ id });
  const problem = storageProblems(texts);
  if (problem !== null) throw new HttpProblem('invalid_request', problem);
  // No row has such a name, and no statement can hold it.
  if (storageProblems({ instance }) !== null)
    throw new HttpProblem('instance_not_found', `no instance ${JSON.stringify(instance)} of ${extension}`);
  return { extensionId: extension, instanceId: instance };
}

function weightIn(answer: WeightAnswer): WeightAnswer & { readonly kind: 'set' } {
  if (answer.kind !== 'set') throw new HttpProblem(answer.kind, answer.message);
  return answer;
}
