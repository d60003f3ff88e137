// An example that a schema accepts, for the documentation of the API.
//
// SCHEMA-EXAMPLE-1. It is the schema's own `examples`, `default` or `enum` where there is one, a value that is known for the name of the
//     member, or the least that is valid.
import type { Json } from '../../domain/exact-json.js';

/** What of a JSON schema is used. */
export interface Schema {
  readonly type?: string | readonly string[];
  readonly examples?: readonly Json[];
  readonly default?: Json;
  readonly const?: Json;
  readonly enum?: readonly Json[];
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly format?: string;
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly maximum?: number;
  readonly additionalProperties?: boolean | Schema;
}

const TIME = '2026-01-27T12:00:00.000Z';
/** By the names of members, for texts. */
const TEXTS: Readonly<Record<string, string>> = {
  id: 'pii_guard',
  extension_id: 'pii_guard',
  version: 'v2',
  default_version: 'v1',
  subject: 'ext.pii_guard.v2',
  instance_id: 'eu-1',
  reason: 'returns garbage',
  by: 'ada',
  name: 'ada',
  changed_by: 'token:ada',
  created_by: 'token:ada',
  updated_by: 'token:ada',
  code: 'extension_not_found',
  message: "no extension 'pii_guard'",
  type: 'pre',
  token: 'extreg_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE',
};
const FORMATS: Readonly<Record<string, string>> = {
  'date-time': TIME,
  uuid: '3f1c7a52-0b7e-4e0a-9d53-1f2a6c7b8d90',
};
const A_TIME = /_at$|_until$|^(at|since|until|last_success|last_failure|first_failure)$/;

/** SCHEMA-EXAMPLE-1. `name`: of the member that holds it. */
export function exampleOf(schema: Schema, name = ''): Json {
  const { examples, properties, items, anyOf } = schema;
  const [given] = examples ?? [];
  if (given !== undefined) return given;
  if (schema.const !== undefined) return schema.const;
  if (schema.enum !== undefined) return schema.enum[0] ?? null;
  if (anyOf !== undefined) return exampleOf(anyOf[0] ?? {}, name);
  const type = Array.isArray(schema.type) ? (schema.type as readonly string[])[0] : schema.type;
  switch (type) {
    case 'object':
      return Object.fromEntries(Object.entries(properties ?? {}).map(([key, one]) => [key, exampleOf(one, key)]));
    case 'array':
      return items === undefined ? [] : [exampleOf(items, name.replace(/s$/, ''))];
    case 'integer':
    case 'number':
      return numberOf(schema);
    case 'boolean':
      return (schema.default as boolean | undefined) ?? true;
    case 'string':
      return FORMATS[schema.format ?? ''] ?? TEXTS[name] ?? (A_TIME.test(name) ? TIME : 'text');
    default:
      return schema.default ?? null;
  }
}

function numberOf({ default: usual, minimum, exclusiveMinimum, maximum = Number.POSITIVE_INFINITY }: Schema): number {
  if (typeof usual === 'number') return usual;
  return Math.min(Math.max(minimum ?? 1, (exclusiveMinimum ?? 0) + 1), maximum);
}
