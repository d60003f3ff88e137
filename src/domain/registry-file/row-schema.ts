// A row of the registry as the admin API shows it, and as it takes it: for the documentation of the API. What is checked is row-edit.ts.
import { type TSchema, Type } from '#typebox';
import { isJsonMap, type JsonMap } from '../exact-json.js';
import { objectOrNull } from '../registry/answer-schema.js';
import { MAX_VERSION_LENGTH, ROW_FIELDS, type RowKind } from './registry-file-schema.js';

const ID = Type.String({ minLength: 1, maxLength: 255 });
const VERSION = Type.String({ minLength: 1, maxLength: MAX_VERSION_LENGTH });
const NAMES: Readonly<Record<RowKind, Record<string, TSchema>>> = {
  extension: { id: ID },
  version: { extension_id: ID, version: VERSION },
  instance: { extension_id: ID, id: ID },
};
const nullableTime = Type.Unsafe<string | null>({ type: ['string', 'null'], format: 'date-time' });
const nullableText = Type.Unsafe<string | null>({ type: ['string', 'null'] });

/** What every row says beside its fields. */
export const STATE = {
  revision: Type.Integer({ description: 'Of the row; its ETag.' }),
  in_force: Type.Boolean({ description: 'False: the daemon refuses the row, or has not read it yet.' }),
  refused: objectOrNull(
    {
      since: Type.String({ format: 'date-time', description: 'When this daemon first refused it.' }),
      problems: Type.Array(Type.String(), { description: 'What is wrong with the row.' }),
    },
    { description: 'Null: nothing is wrong with it.' },
  ),
};
const OF_AN_EXTENSION = {
  auto_disabled: Type.Boolean(),
  created_at: nullableTime,
  created_by: nullableText,
  updated_at: nullableTime,
  updated_by: nullableText,
  counts: Type.Object({ versions: Type.Integer(), instances: Type.Integer() }),
};

/** With `?expand=`. */
const EXPANDED = {
  versions: Type.Optional(Type.Array(Type.Object({}, { additionalProperties: true }))),
  instances: Type.Optional(Type.Array(Type.Object({}, { additionalProperties: true }))),
  policy_in_force: Type.Optional(
    Type.Unsafe<object | null>({ type: ['object', 'null'], description: '`effective` and `from` of the policy.' }),
  ),
};

/** Of what is read. */
export const rowSchema = (kind: RowKind): TSchema =>
  Type.Object({
    ...NAMES[kind],
    ...ROW_FIELDS[kind],
    ...('config' in ROW_FIELDS[kind] ? shownByRole(ROW_FIELDS[kind].config as TSchema) : {}),
    ...(kind === 'extension' ? OF_AN_EXTENSION : {}),
    ...STATE,
    ...(kind === 'extension' ? EXPANDED : {}),
    row_in_force: Type.Optional(
      Type.Unsafe<object | null>({
        type: ['object', 'null'],
        description: 'Of a row that is refused: the last valid one, which is in force; null: there was none.',
      }),
    ),
    from: Type.Optional(
      Type.String({
        enum: ['memory'],
        description: 'The database is away: it is what the daemon works by, without what it does not need. No ETag.',
      }),
    ),
  });

const shownByRole = (config: TSchema) => ({
  config: Type.Optional(config),
  config_hidden: Type.Optional(Type.Boolean({ description: 'True instead of `config` for a viewer.' })),
});

/** Of what is written; `isPatch`: RFC 7396, where null takes a member away. */
export const editSchema = (kind: RowKind, isPatch = false): TSchema => {
  const fields = Object.entries({ ...NAMES[kind], ...ROW_FIELDS[kind] });
  return Type.Object(
    Object.fromEntries(
      fields.map(([name, schema]) => [name, isPatch || 'default' in schema ? Type.Optional(schema) : schema]),
    ),
  );
};

/** As a viewer sees it: secrets of an extension may be in its configuration. */
export function withoutConfig(row: JsonMap): JsonMap {
  const { config, row_in_force: inForce, ...rest } = row;
  return {
    ...rest,
    ...(config === undefined ? {} : { config_hidden: true }),
    ...(inForce === undefined ? {} : { row_in_force: isJsonMap(inForce) ? withoutConfig(inForce) : inForce }),
  };
}
