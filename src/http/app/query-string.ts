// The query string of a request, read by the schema of its route.
//
// QUERY-STRING-1. Every error names the parameter, what it may be, and what was given.
// QUERY-STRING-2. Nothing is converted loosely: a boolean is `true` or `false`, an integer is decimal digits, and a parameter that is given twice,
//      or that the route does not have, is refused.

import { type TSchema, Type } from '#typebox';
import { quoted } from '../../domain/quoted.js';

/** Of a route that takes no parameter. */
export const NO_PARAMETERS = Type.Object({}, { additionalProperties: false });

const INTEGER = /^\d{1,15}$/;
/** C0 and C1, DEL, and halves of characters. */
const CONTROL = /[\p{Cc}\p{Cs}]/u;

/** The part of a JSON schema that the query strings of the routes use. */
type ParameterSchema =
  | { readonly type: 'boolean' }
  | { readonly type: 'integer'; readonly minimum: number; readonly maximum: number }
  /** Not blank, without control characters. */
  | { readonly type: 'string'; readonly maxLength: number };

interface QuerySchema {
  readonly properties: Readonly<Record<string, ParameterSchema>>;
  readonly required?: readonly string[];
  /** By the name of a parameter: those without which it has no meaning. */
  readonly dependencies?: Readonly<Record<string, readonly string[]>>;
}

/** Validates a parsed query string by a schema of Type.Object with integers (with minimum and maximum), booleans and texts (with maxLength). */
export function queryValidator(schema: TSchema): (given: unknown) => { value: object } | { error: Error } {
  const { properties, required = [], dependencies = {} } = schema as unknown as QuerySchema;
  return (given) => {
    const read: Record<string, number | boolean | string> = {};
    for (const [name, text] of Object.entries(given as Record<string, string | readonly string[]>)) {
      const parameter = Object.hasOwn(properties, name) ? properties[name] : undefined;
      if (parameter === undefined) return refused(unknownParameter(name, Object.keys(properties)));
      if (typeof text !== 'string')
        return refused(`parameter '${name}' must be given once, got it ${text.length} times`);
      const value = parameterValue(text, parameter);
      if (value === null) return refused(`parameter '${name}' must be ${expected(parameter)}, got ${quoted(text)}`);
      read[name] = value;
    }
    for (const name of required)
      if (!Object.hasOwn(read, name)) {
        const what = expected(properties[name] as ParameterSchema);
        return refused(`parameter '${name}' is missing: expected ${what}`);
      }
    for (const [name, needed] of Object.entries(dependencies))
      for (const other of needed)
        if (Object.hasOwn(read, name) && !Object.hasOwn(read, other))
          return refused(`parameter '${name}' needs parameter '${other}' beside it, which is missing`);
    return { value: read };
  };
}

/** QUERY-STRING-2. null: not a value of this parameter. */
function parameterValue(text: string, parameter: ParameterSchema): number | boolean | string | null {
  switch (parameter.type) {
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : null;
    case 'integer': {
      const number = INTEGER.test(text) ? Number(text) : Number.NaN;
      return number >= parameter.minimum && number <= parameter.maximum ? number : null;
    }
    case 'string':
      return text.trim() === '' || [...text].length > parameter.maxLength || CONTROL.test(text) ? null : text;
    default:
      return parameter satisfies never;
  }
}

function expected(parameter: ParameterSchema): string {
  switch (parameter.type) {
    case 'boolean':
      return 'true or false';
    case 'integer':
      return `an integer from ${parameter.minimum} to ${parameter.maximum}`;
    case 'string':
      return `a text of 1 to ${parameter.maxLength} characters, not blank, without control characters`;
    default:
      return parameter satisfies never;
  }
}

/** `names`: the parameters that the path takes. */
const unknownParameter = (name: string, names: readonly string[]): string =>
  `there is no parameter ${quoted(name)}; this path takes ${names.length === 0 ? 'none' : names.join(', ')}`;

const refused = (message: string): { error: Error } => ({ error: new Error(message) });
