// What a body that changes something must be.
//
// STRICT-BODY-1. Nothing of a change is converted: it has the types of its schema, or it is refused.
// STRICT-BODY-2. Where nothing is required, no body is an empty one.
// STRICT-BODY-3. Where no body is taken, one that says something is refused: what it says would have no effect.
import { type TSchema, Type } from '#typebox';
import { Compile } from '#typebox/compile';
import { storageProblem } from '../../domain/exact-json.js';
import { expectationOf, type SchemaError } from '../../domain/schema-problem.js';
import { HttpProblem } from './problem.js';

export const MAX_CHANGE_BYTES = 16_384;

/** Reason and actor of every change. */
export const CHANGE_FIELDS = {
  reason: Type.String({ maxLength: 1000, pattern: '\\S', description: 'Why, for the audit trail.' }),
  by: Type.Optional(
    Type.String({ maxLength: 200, pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f]+$', description: 'Who: a claim.' }),
  ),
};

/** Of a change that harms no caller. */
export const OPTIONAL_REASON = { reason: Type.Optional(CHANGE_FIELDS.reason), by: CHANGE_FIELDS.by };

/** STRICT-BODY-1. */
export function strictly(schema: TSchema): (given: unknown) => { value: unknown } | { error: Error } {
  const validator = Compile(schema);
  const { required = [] } = schema as { required?: readonly string[] };
  return (body) => {
    // STRICT-BODY-2.
    const given = required.length === 0 ? (body ?? {}) : body;
    const [first] = validator.Errors(given);
    return first === undefined ? { value: given } : { error: new Error(problemOf(first, given, schema)) };
  };
}

/** STRICT-BODY-3. Throws HttpProblem. */
export function refuseBody(body: unknown): void {
  const isEmpty = typeof body === 'object' && !Array.isArray(body) && Object.keys(body ?? {}).length === 0;
  if (body !== undefined && !isEmpty)
    throw new HttpProblem('invalid_request', 'this path takes no body: send none, or {}');
}

/** In words that say what to do: a pattern does not. */
function problemOf(error: SchemaError, given: unknown, schema: TSchema) {
  const { instancePath, keyword, message } = error;
  const { required = [], properties = {} } = schema as { required?: readonly string[]; properties?: object };
  if (instancePath === '' && keyword === 'type')
    return `the body must be a JSON object${required.length === 0 ? '; {} will do' : ` with ${required.join(', ')}`}`;
  if (keyword === 'pattern')
    return `body${instancePath} must not be blank, nor hold control characters where it is a name`;
  if (message === 'schema is false' || keyword === 'additionalProperties') {
    const known = new Set(Object.keys(properties));
    const foreign = Object.keys(given as object).filter((name) => !known.has(name));
    return `the body has no field ${foreign.map((name) => `'${name.slice(0, 80)}'`).join(', ')}; it takes ${[...known].join(', ')}`;
  }
  return `body${instancePath} ${expectationOf(error, given)}`;
}

/** What no column can hold. */
export function storageProblems(texts: Readonly<Record<string, string | null | undefined>>): string | null {
  for (const [name, text] of Object.entries(texts)) {
    const problem = storageProblem(text ?? null);
    if (problem !== null) return `body/${name} ${problem}`;
  }
  return null;
}
