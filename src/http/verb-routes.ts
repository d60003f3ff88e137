// `POST /admin/extensions/:id/<verb>`: what an operator tells an extension or one version of it.
//
// H16. Nothing of a change is converted: it has the types of its schema, or it is refused.
import { type TSchema, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import type { ExecuteVerb } from '../actors/offers.js';
import { storageProblem } from '../domain/exact-json.js';
import { isExtensionId, NO_ID } from '../domain/subject-rules.js';
import { VERBS, type Verb } from '../domain/verbs.js';
import type { App } from './app.js';
import { errorBody, errorBodySchema, HTTP_ERRORS } from './http-errors.js';

const MAX_BODY_BYTES = 16_384;

const bodySchema = Type.Object(
  {
    reason: Type.String({ maxLength: 1000, pattern: '\\S', description: 'Why, for the audit trail.' }),
    version: Type.Optional(
      Type.String({ minLength: 1, maxLength: 32, description: 'Without one: every target of the extension.' }),
    ),
    by: Type.Optional(
      Type.String({ maxLength: 200, pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f]+$', description: 'Who: a claim.' }),
    ),
  },
  { additionalProperties: false },
);
const orNull = (type: 'number' | 'string') => Type.Unsafe<string | number | null>({ type: [type, 'null'] });
const resultSchema = Type.Object({
  extension_id: Type.String(),
  version: Type.Optional(Type.String()),
  verb: Type.String(),
  revision: orNull('number'),
  owed: Type.Boolean(),
  enabled: Type.Boolean(),
  auto_disabled: Type.Boolean(),
  override: orNull('string'),
  circuit_breaker_state: orNull('string'),
});

export function verbRoutes(app: App, execute: ExecuteVerb): void {
  for (const verb of VERBS) verbRoute(app, verb, execute);
}

function verbRoute(app: App, verb: Verb, execute: ExecuteVerb): void {
  app.post(
    `/admin/extensions/:id/${verb}`,
    {
      bodyLimit: MAX_BODY_BYTES,
      validatorCompiler: ({ schema }) => strictly(schema as TSchema),
      schema: {
        params: Type.Object({ id: Type.String() }),
        body: bodySchema,
        response: { 200: resultSchema, '4xx': errorBodySchema, '5xx': errorBodySchema },
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
      const actor = by === undefined ? 'admin' : `admin:${by}`;
      const answer = await execute({ extensionId: id, version, verb, reason, actor });
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

/** H16. */
function strictly(schema: TSchema): (given: unknown) => { value: unknown } | { error: Error } {
  const validator = Compile(schema);
  return (given) => {
    const [first] = validator.Errors(given);
    return first === undefined ? { value: given } : { error: new Error(problemOf(first, given)) };
  };
}

/** In words that say what to do: a pattern does not. */
function problemOf(
  { instancePath, keyword, message }: { instancePath: string; keyword: string; message: string },
  given: unknown,
) {
  if (instancePath === '' && keyword === 'type') return 'the body must be a JSON object with a reason';
  if (keyword === 'pattern')
    return `body${instancePath} must not be blank, nor hold control characters where it is a name`;
  if (message === 'schema is false' || keyword === 'additionalProperties') {
    const known = new Set(Object.keys(bodySchema.properties));
    const foreign = Object.keys(given as object).filter((name) => !known.has(name));
    return `the body has no field ${foreign.map((name) => `'${name.slice(0, 80)}'`).join(', ')}; it takes ${[...known].join(', ')}`;
  }
  return `body${instancePath} ${message}`;
}

function storageProblems(texts: Readonly<Record<string, string | null | undefined>>): string | null {
  for (const [name, text] of Object.entries(texts)) {
    const problem = storageProblem(text ?? null);
    if (problem !== null) return `body/${name} ${problem}`;
  }
  return null;
}
