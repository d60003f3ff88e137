// What is wrong with a value, of what a schema's validator reports: its own messages do not name the values that are allowed.
import { quoted } from './quoted.js';

/** As TypeBox has it. */
export interface SchemaError {
  readonly instancePath: string;
  readonly keyword: string;
  readonly message: string;
  readonly params: object;
}

/** `must be one of a, b, null`; the validator's own words where no values are listed. */
export function expectation({ keyword, message, params }: Omit<SchemaError, 'instancePath'>): string {
  const { allowedValues, allowedValue } = params as { allowedValues?: readonly unknown[]; allowedValue?: unknown };
  // Not join() alone, which writes null as nothing.
  if (keyword === 'enum' && allowedValues !== undefined)
    return `must be one of ${allowedValues.map(String).join(', ')}`;
  return keyword === 'const' ? `must be ${allowedValue}` : message;
}

/** The same, and where values are listed also what `given` has in that place. */
export function expectationOf(error: SchemaError, given: unknown): string {
  const expected = expectation(error);
  if (error.keyword !== 'enum' && error.keyword !== 'const') return expected;
  return `${expected}, got ${shown(valueAt(given, error.instancePath))}`;
}

/** `path`: a JSON pointer to a member that is there. */
function valueAt(given: unknown, path: string): unknown {
  let value = given;
  for (const name of path.split('/').slice(1)) value = (value as Readonly<Record<string, unknown>> | null)?.[name];
  return value;
}

function shown(value: unknown): string {
  if (typeof value === 'string') return quoted(value);
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'an object';
  return String(value);
}
