// What the schemas of the daemon's answers are made of. Each answer has one schema: HTTP serialises by it, its type is the schema's, and
// the command line and the documents follow from it.
//
// Nullable values are one schema with two types, since a union of schemas is serialised by trial.
import { type Static, type TSchema, Type } from '#typebox';

/** Beside JSON Schema's own: the unit of a value, as the documents name it. */
interface Described {
  readonly unit?: string;
  readonly description?: string;
}

export const orNull = <T extends number | string>(
  type: T extends number ? 'number' | 'integer' : 'string',
  options: Described = {},
) => Type.Unsafe<T | null>({ type: [type, 'null'], ...options });

/** A text that is one of these. */
export const oneOf = <T extends string>(values: readonly T[], options: Described = {}) =>
  Type.Unsafe<T>({ type: 'string', enum: [...values], ...options });

export const listOf = <S extends TSchema>(item: S, options: Described = {}) =>
  Type.Unsafe<readonly Static<S>[]>(Type.Array(item, { ...options }));

export const objectOrNull = <S extends Record<string, TSchema>>(properties: S, options: Described = {}) =>
  Type.Unsafe<Static<ReturnType<typeof Type.Object<S>>> | null>({ type: ['object', 'null'], properties, ...options });
