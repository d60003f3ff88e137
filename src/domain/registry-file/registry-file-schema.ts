// The shape of a registry file. One schema per field serves the checks, the defaults and docs/registry-file.schema.json.
import { type TSchema, Type } from '#typebox';
import type { Json } from '../exact-json.js';
import { EXTENSION_TYPES } from '../registry/extension.js';
import { BREAKER_SETTINGS, policySchema } from '../registry/policy.js';
import { DEFAULT_TIMEOUT_MS, MAX_RETRY, MAX_TIMEOUT_MS } from '../registry/row-validation.js';
import { MAX_SUBJECT_BYTES } from '../registry/subject-rules.js';

export const FILE_FORMAT = 1;
export const MAX_VERSION_LENGTH = 32;

const strict = { additionalProperties: false } as const;
const jsonObject = (description: string) => Type.Object({}, { description, default: {} });
const nullable = (fields: object) => Type.Unsafe<unknown>({ ...fields, default: null });
const text = (maxLength: number, description: string) => Type.String({ minLength: 1, maxLength, description });

/** One field of a row. Without a default it must be given. */
type Fields = Readonly<Record<string, TSchema>>;

const CALL_FIELDS = {
  subject: text(MAX_SUBJECT_BYTES, 'NATS subject it listens on: plain tokens joined by dots, no wildcards.'),
  timeout_ms: Type.Integer({
    minimum: 1,
    maximum: MAX_TIMEOUT_MS,
    default: DEFAULT_TIMEOUT_MS,
    description: 'An attempt that takes longer has failed.',
  }),
  retry: Type.Integer({ minimum: 0, maximum: MAX_RETRY, default: 0, description: 'Extra attempts after the first.' }),
  enabled: Type.Boolean({ default: true, description: 'False: an operator disabled it.' }),
} as const;

const JSON_FIELDS = {
  config: jsonObject('Its own configuration, delivered to it; the daemon does not read it.'),
  metadata: Type.Unknown({ description: 'Yours: any JSON.', default: {} }),
} as const;

const OVERRIDE_FIELD = {
  breaker_override: nullable({
    enum: ['isolated', 'forced_closed', null],
    description: "An operator's override of the breaker.",
  }),
} as const;

const THRESHOLD_FIELDS = {
  failure_threshold: BREAKER_SETTINGS.failure_threshold,
  error_rate_threshold: BREAKER_SETTINGS.error_rate_threshold,
  window_seconds: BREAKER_SETTINGS.window_seconds,
  half_open_max_requests: BREAKER_SETTINGS.half_open_max_requests,
} as const;

const EXTENSION_FIELDS: Fields = {
  type: Type.Enum([...EXTENSION_TYPES], {
    description: 'What kind of extension it is: one of pre, validator, post and provider.',
  }),
  ...CALL_FIELDS,
  version: Type.String({
    minLength: 1,
    maxLength: MAX_VERSION_LENGTH,
    default: 'v1',
    description: "Name of the version that the extension's own row stands for.",
  }),
  ...OVERRIDE_FIELD,
  ...JSON_FIELDS,
  policy: Type.Object(policySchema.properties, {
    ...strict,
    description: 'What the daemon does with the extension.',
    default: {},
  }),
  thresholds: Type.Partial(Type.Object(THRESHOLD_FIELDS), {
    ...strict,
    description:
      "Threshold columns of `extension_health`, where they hold something else than the predecessor's defaults. Prefer `policy.breaker`.",
    default: {},
  }),
};
const VERSION_FIELDS: Fields = {
  ...CALL_FIELDS,
  ...OVERRIDE_FIELD,
  ...JSON_FIELDS,
  routing_rules: jsonObject('All keys must match; a list means any of.'),
  rollout_percent: nullable({
    type: ['number', 'null'],
    minimum: 0,
    maximum: 100,
    description:
      'Share of the calls that no rules match, with at most two digits after the point; not beside routing_rules. Those of enabled versions add up to at most 100.',
  }),
  rollout_key: nullable({
    type: ['string', 'null'],
    minLength: 1,
    maxLength: 255,
    description: 'What the share is taken of, the same for every version of a rollout; null: the tenant.',
  }),
};
const INSTANCE_FIELDS: Fields = {
  subject: text(MAX_SUBJECT_BYTES, 'NATS subject it listens on.'),
  weight: Type.Integer({ minimum: 0, maximum: 100, default: 100, description: 'Share of the calls; 0 drains it.' }),
  enabled: CALL_FIELDS.enabled,
  version: nullable({
    type: ['string', 'null'],
    maxLength: MAX_VERSION_LENGTH,
    description: 'Version it serves; null: that with the same subject.',
  }),
};

export type RowKind = 'extension' | 'version' | 'instance';
export const ROW_FIELDS: Readonly<Record<RowKind, Fields>> = {
  extension: EXTENSION_FIELDS,
  version: VERSION_FIELDS,
  instance: INSTANCE_FIELDS,
};

/** undefined: it has none, so it must be given. */
export const defaultOf = (kind: RowKind, field: string): Json | undefined =>
  (ROW_FIELDS[kind][field] as { default?: Json } | undefined)?.default;

const objectOf = (fields: Fields, more: Fields = {}) =>
  Type.Object(
    {
      ...Object.fromEntries(
        Object.entries(fields).map(([name, schema]) => [name, 'default' in schema ? Type.Optional(schema) : schema]),
      ),
      ...more,
    },
    strict,
  );

const named = (names: object, schema: TSchema, description: string) =>
  Type.Unsafe<unknown>({ type: 'object', propertyNames: names, additionalProperties: schema, description });

/** docs/registry-file.schema.json. */
export const registryFileSchema = Type.Object(
  {
    $schema: Type.Optional(Type.String({ description: 'For editors; not read.' })),
    format: Type.Literal(FILE_FORMAT, { description: 'Of this file.' }),
    extensions: named(
      { pattern: '^[A-Za-z0-9_:-]{1,255}$' },
      objectOf(EXTENSION_FIELDS, {
        versions: Type.Optional(
          named({ minLength: 1, maxLength: MAX_VERSION_LENGTH }, objectOf(VERSION_FIELDS), 'Versions by their names.'),
        ),
        instances: Type.Optional(
          named({ pattern: '^[!-~]{1,255}$' }, objectOf(INSTANCE_FIELDS), 'Instances by their ids.'),
        ),
      }),
      'Extensions by their ids.',
    ),
  },
  { ...strict, $schema: 'https://json-schema.org/draft/2020-12/schema', title: 'Extension Registry: registry file' },
);
