// `/admin/extensions/:id/policy`: what an operator decided about an extension, and every setting as it is in force.
//
// POLICY-ROUTES-1. A policy is a part of its extension's row: its ETag is the row's revision, and a change of it is a change of the row.
import type { FastifyReply, FastifyRequest } from '#fastify';
import type { RowAnswer, RowDesk, RowOrder } from '../../actors/ports/api.js';
import type { ManagementDesk } from '../../actors/ports/management.js';
import type { Json, JsonMap } from '../../domain/exact-json.js';
import { policySchema } from '../../domain/registry/policy.js';
import { policyAnswerSchema } from '../../domain/registry/policy-answer.js';
import { STATE } from '../../domain/registry-file/row-schema.js';
import type { App } from '../app/app.js';
import { extensionId, ID_PARAMS } from '../app/path-id.js';
import { HttpProblem, problems } from '../app/problem.js';
import { NO_PARAMETERS } from '../app/query-string.js';
import { refusalOf, sendExactJson } from './row-answer.js';
import { bodyOf, changeQuery, expectedBy, JSON_TYPE, preconditions, readsExactJson, who } from './row-request.js';

const PATH = '/admin/extensions/:id/policy';
const content = {
  description: "The policy; ETag holds the revision of the extension's row.",
  content: { [JSON_TYPE]: { schema: policyAnswerSchema(STATE) } },
};

export function policyRoutes(app: App, rows: RowDesk, policyInForce: ManagementDesk['policyInForce']): void {
  app.register(async (scope) => {
    const own = scope as unknown as App;
    readsExactJson(own);
    readRoute(own, rows, policyInForce);
    for (const method of ['PUT', 'PATCH'] as const) changeRoute(own, method, rows, policyInForce);
  });
}

function readRoute(app: App, rows: RowDesk, policyInForce: ManagementDesk['policyInForce']): void {
  app.get(
    PATH,
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'readPolicy',
        summary: 'The policy of an extension, each setting as it is in force, and what decides it',
        params: ID_PARAMS,
        querystring: NO_PARAMETERS,
        response: { 200: content, ...problems('extension_not_found', 'database_unavailable') },
      },
    },
    async (request, reply) => {
      const answer = await rows.read({ kind: 'extension', extensionId: extensionId(request.params), name: '' });
      return sendPolicy(reply, answer, policyInForce);
    },
  );
}

const HOW = { PUT: 'set', PATCH: 'merge' } as const;
const SUMMARIES = {
  PUT: 'Replace the policy; what it does not name is left to columns, configuration and defaults',
  PATCH: 'Change settings of the policy (RFC 7396)',
} as const;

function changeRoute(
  app: App,
  method: keyof typeof HOW,
  rows: RowDesk,
  policyInForce: ManagementDesk['policyInForce'],
): void {
  app.route({
    method,
    url: PATH,
    config: { role: 'admin', body: policySchema },
    schema: {
      operationId: `${method === 'PUT' ? 'replace' : 'merge'}Policy`,
      summary: SUMMARIES[method],
      params: ID_PARAMS,
      querystring: changeQuery,
      headers: preconditions('PATCH'),
      response: {
        200: content,
        ...problems(
          'extension_not_found',
          'revision_conflict',
          'precondition_required',
          'row_invalid',
          'database_unavailable',
        ),
      },
    },
    handler: async (request: FastifyRequest, reply) => {
      const id = extensionId(request.params as { readonly id: string });
      const order: RowOrder = {
        ...{ kind: 'extension', extensionId: id, name: '' },
        ...who(request),
        how: HOW[method],
        fields: { policy: bodyOf(request) },
        // A policy is never new: a row always has one.
        expects: expectedBy(request, 'PATCH'),
        revisionInBody: null,
      };
      return sendPolicy(reply, await rows.edit(order), policyInForce);
    },
  });
}

/** POLICY-ROUTES-1. */
function sendPolicy(
  reply: FastifyReply,
  answer: RowAnswer,
  policyInForce: ManagementDesk['policyInForce'],
): FastifyReply {
  if (answer.kind === 'row_invalid') {
    const own = answer.problems.map(({ pointer, message }) => ({ pointer: pointer.replace(/^\/policy/, ''), message }));
    throw new HttpProblem(answer.kind, answer.message, { problems: own });
  }
  if (answer.kind !== 'row') throw refusalOf(answer);
  const { id, policy = {}, revision = null, in_force = null, refused = null } = answer.row as JsonMap & { id: string };
  const known = policyInForce(id);
  const effective = known?.effective ?? null;
  const from = (known?.from ?? null) as Json;
  const isFromMemory = answer.isFromMemory === true;
  if (!isFromMemory) reply.header('etag', `"${answer.revision}"`);
  reply.header('vary', 'Authorization');
  const where = isFromMemory ? { row_from: 'memory' } : {};
  return sendExactJson(reply, { own: policy, effective, from, revision, in_force, refused, ...where });
}
