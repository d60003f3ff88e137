// The query string of a request, read by the schema of its route.
//
// QUERY-STRING-1. Every error names the parameter, what it may be, and what was given.
// QUERY-STRING-2. Nothing is converted loosely: a boolean is `true` or `false`, an integer is decimal digits, and a parameter that is given twice,
//      or that the route does not have, is refused.
// QUERY-STRING-3. A parameter that is a list may be given several times, and each time with several values between commas.

import { type TSchema, Type } from '#typebox';
import { quoted } from '../../domain/quoted.js';

/** Of a route that takes no parameter. */
export const NO_PARAMETERS = Type.Object({}, { additionalProperties: false });

const INTEGER = /^\d{1,15}$/;
/** C0 and C1, DEL, and halves of characters. */
const CONTROL = /[\p{Cc}\p{Cs}]/u;

/** The part of a JSON schema that the query strings of the routes use. */
type ValueSchema =
  | { readonly type: 'boolean' }
  | { readonly type: 'integer'; readonly minimum: number; readonly maximum: number }
  | { readonly type: 'integer'; readonly enum: readonly number[] }
  | { readonly type: 'string'; readonly enum: readonly string[] }
  /** Not blank, without control characters. */
  | { readonly type: 'string'; readonly maxLength: number };
type ParameterSchema = ValueSchema | { readonly type: 'array'; readonly maxItems: number; readonly items: ValueSchema };
type Value = number | boolean | string;

/** One of these words. */
export const oneOfWords = <const W extends string>(words: readonly W[], description: string) =>
  Type.Unsafe<W>({ type: 'string', enum: words, description });

/** QUERY-STRING-3. Some of these words. */
export const someOfWords = <const W extends string>(words: readonly W[], description: string) =>
  Type.Unsafe<W[]>({ type: 'array', maxItems: words.length, items: { type: 'string', enum: words }, description });

/** QUERY-STRING-3. At most `maxItems`. */
export const texts = (maxItems: number, maxLength: number, description: string) =>
  Type.Unsafe<string[]>({ type: 'array', maxItems, items: { type: 'string', maxLength }, description });

/** QUERY-STRING-3. */
export const integers = (maxItems: number, maximum: number, description: string) =>
  Type.Unsafe<number[]>({ type: 'array', maxItems, items: { type: 'integer', minimum: 0, maximum }, description });

export const oneOfIntegers = <const N extends number>(numbers: readonly N[], description: string) =>
  Type.Unsafe<N>({ type: 'integer', enum: numbers, description });

interface QuerySchema {
  readonly properties: Readonly<Record<string, ParameterSchema>>;
  readonly required?: readonly string[];
  /** By the name of a parameter: those without which it has no meaning. */
  readonly dependencies?: Readonly<Record<string, readonly string[]>>;
}

/** Validates a parsed query string by a schema of Type.Object with integers (with minimum and maximum), booleans, texts (with maxLength), words and lists of them. */
export function queryValidator(schema: TSchema): (given: unknown) => { value: object } | { error: Error } {
  const { properties, required = [], dependencies = {} } = schema as unknown as QuerySchema;
  return (given) => {
    const read: Record<string, Value | readonly Value[]> = {};
    for (const [name, text] of Object.entries(given as Record<string, string | readonly string[]>)) {
      const parameter = Object.hasOwn(properties, name) ? properties[name] : undefined;
      if (parameter === undefined) return refused(unknownParameter(name, Object.keys(properties)));
      if (parameter.type === 'array') {
        const list = [text].flat().flatMap((one) => one.split(','));
        const { items, maxItems } = parameter;
        const wrong = list.find((one) => parameterValue(one, items) === null);
        // First what was given: a long list of words may be cut.
        if (wrong !== undefined)
          return refused(`parameter '${name}' may not have ${quoted(wrong)}: it must be ${expected(parameter)}`);
        const values = [...new Set(list.map((one) => parameterValue(one, items) as Value))];
        if (values.length > maxItems)
          return refused(`parameter '${name}' may have ${maxItems} values at most, got ${values.length}`);
        read[name] = values;
        continue;
      }
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
function parameterValue(text: string, parameter: ValueSchema): Value | null {
  switch (parameter.type) {
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : null;
    case 'integer': {
      const number = INTEGER.test(text) ? Number(text) : Number.NaN;
      if ('enum' in parameter) return parameter.enum.includes(number) ? number : null;
      return number >= parameter.minimum && number <= parameter.maximum ? number : null;
    }
    case 'string':
      if ('enum' in parameter) return parameter.enum.includes(text) ? text : null;
      return text.trim() === '' || [...text].length > parameter.maxLength || CONTROL.test(text) ? null : text;
    default:
      return parameter satisfies never;
  }
}

function expected(parameter: ParameterSchema): string {
  switch (parameter.type) {
    case 'array':
      return 'enum' in parameter.items
        ? `some of ${parameter.items.enum.join(', ')}, with commas in between`
        : `a list, with commas in between, of ${expected(parameter.items)}`;
    case 'boolean':
      return 'true or false';
    case 'integer':
      if ('enum' in parameter) return parameter.enum.join(' or ');
      return `an integer from ${parameter.minimum} to ${parameter.maximum}`;
    case 'string':
      if ('enum' in parameter) return `one of ${parameter.enum.join(', ')}`;
      return `a text of 1 to ${parameter.maxLength} characters, not blank, without control characters`;
    default:
      return parameter satisfies never;
  }
}

/** `names`: the parameters that the path takes. */
const unknownParameter = (name: string, names: readonly string[]): string =>
  `there is no parameter ${quoted(name)}; this path takes ${names.length === 0 ? 'none' : names.join(', ')}`;

const refused = (message: string): { error: Error } => ({ error: new Error(message) });
