// The answer about the policy of an extension: for the documentation of the API, which sends it as exact JSON.
import { type TSchema, Type } from '#typebox';
import { oneOf } from './answer-schema.js';
import { BREAKER_SETTINGS, HEALTH_CHECK_SETTINGS, OWN_BREAKER_SETTINGS, policySchema } from './policy.js';
import { POLICY_SOURCES } from './policy-in-force.js';

type Fields = Readonly<Record<string, TSchema>>;

const { breaker: _breaker, health_check: _check, retry, ...simple } = policySchema.properties;
const NESTED: Readonly<Record<string, Fields>> = {
  breaker: { ...BREAKER_SETTINGS, ...OWN_BREAKER_SETTINGS },
  health_check: HEALTH_CHECK_SETTINGS,
  retry: (retry as unknown as { readonly properties: Fields }).properties,
};

const nullable = (schema: TSchema): TSchema => Type.Union([schema, Type.Null()]);
const decided = (schema: TSchema): TSchema => ('default' in schema ? schema : nullable(schema));
const decidedFields = (fields: Fields): TSchema =>
  Type.Object(Object.fromEntries(Object.entries(fields).map(([name, schema]) => [name, decided(schema)])));

const source = oneOf(POLICY_SOURCES);
const sourceFields = (fields: Fields): TSchema =>
  Type.Object(Object.fromEntries(Object.keys(fields).map((name) => [name, source])));

const effectiveSchema = Type.Object({
  ...Object.fromEntries(Object.entries(simple as Fields).map(([name, schema]) => [name, decided(schema)])),
  breaker: Type.Object({
    ...BREAKER_SETTINGS,
    ...Object.fromEntries(Object.entries(OWN_BREAKER_SETTINGS).map(([name, schema]) => [name, nullable(schema)])),
  }),
  health_check: nullable(decidedFields(HEALTH_CHECK_SETTINGS)),
  retry: decidedFields(NESTED.retry as Fields),
});
const fromSchema = Type.Object({
  ...Object.fromEntries(Object.keys(simple).map((name) => [name, source])),
  ...Object.fromEntries(Object.entries(NESTED).map(([name, fields]) => [name, sourceFields(fields)])),
  // Without checks there is one source, that of there being none.
  health_check: Type.Union([sourceFields(HEALTH_CHECK_SETTINGS), source]),
});

/** `refused`: as in a row. */
export const policyAnswerSchema = (state: Fields): TSchema =>
  Type.Object({
    own: Type.Object(policySchema.properties, { description: 'As the row has it; what PUT takes.' }),
    effective: Type.Union([effectiveSchema, Type.Null()], {
      description: 'Every setting as it is in force; null: no valid row of the extension was ever read.',
    }),
    from: Type.Union([fromSchema, Type.Null()], { description: 'What decides each of them.' }),
    ...state,
  });
