// What the reading admin verbs take over NATS: `show`, `list` and `audit`.
import { type Static, type TSchema, Type } from '#typebox';
import { Value } from '#typebox/value';
import { BOARD_STATES } from '../board-codes.js';
import { type JsonMap, withoutExactNumbers } from '../exact-json.js';
import { expectationOf } from '../schema-problem.js';
import { EXTENSION_TYPES } from './extension.js';

const strict = { additionalProperties: false } as const;
const optional = <S extends TSchema>(schema: S) => Type.Optional(schema);
const limit = optional(Type.Integer({ minimum: 1, maximum: 1000 }));
const text = (maxLength: number) => optional(Type.String({ minLength: 1, maxLength }));

const showSchema = Type.Object({ extension_id: Type.String() }, strict);
const listSchema = Type.Object(
  {
    limit,
    after: text(2000),
    q: text(255),
    id: optional(Type.Array(Type.String(), { maxItems: 1000 })),
    state: optional(Type.Array(Type.Enum([...BOARD_STATES]))),
    type: optional(Type.Array(Type.Enum([...EXTENSION_TYPES]))),
    enabled: optional(Type.Boolean()),
    auto_disabled: optional(Type.Boolean()),
    override: optional(Type.Enum(['isolated', 'forced_closed', 'none'])),
    wrong: optional(Type.Boolean()),
    sort: optional(Type.Array(Type.String({ maxLength: 40 }), { maxItems: 5 })),
  },
  strict,
);
const auditSchema = Type.Object(
  {
    limit,
    after: text(200),
    extension_id: text(255),
    action: text(64),
    by: text(255),
    since: text(40),
    until: text(40),
    after_revision: optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })),
  },
  strict,
);

const SCHEMAS = { show: showSchema, list: listSchema, audit: auditSchema };

export type Requests = { readonly [Name in keyof typeof SCHEMAS]: Static<(typeof SCHEMAS)[Name]> };

export const FIELDS = {
  show: Object.keys(showSchema.properties),
  list: Object.keys(listSchema.properties),
  audit: Object.keys(auditSchema.properties),
};

/** The request of a verb, or what is wrong with it. */
export function readRequest<Name extends keyof Requests>(
  name: Name,
  request: JsonMap,
): { readonly asked: Requests[Name] } | { readonly problem: string } {
  const asked = withoutExactNumbers(request);
  const [first] = Value.Errors(SCHEMAS[name], asked);
  if (first === undefined) return { asked: asked as Requests[Name] };
  return { problem: `${first.instancePath.slice(1) || 'the request'} ${expectationOf(first, asked)}` };
}
