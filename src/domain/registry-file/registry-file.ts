// A whole registry as a file: what is wrong with one, and the rows that it contains.
//
// REGISTRY-FILE-1. A file is valid as a whole or not at all; every problem is reported, with its path. What the daemon would refuse is one.
// REGISTRY-FILE-2. What is measured (health, auto_disabled, revisions, times) is not in it.
// REGISTRY-FILE-3. Null in a nullable column means its default, and so does what a file omits if it creates a row.
// REGISTRY-FILE-4. What is written depends on the rows alone, in order of names: the same registry is the same file.
import type { TSchema } from '#typebox';
import { Compile, type Validator } from '#typebox/compile';
import {
  isJsonMap,
  isSameJson,
  type Json,
  type JsonMap,
  storageProblem,
  stringifyExactJson,
  withoutExactNumbers,
} from '../exact-json.js';
import { fallbacksInForce } from '../registry/fallbacks.js';
import {
  type ExtensionRow,
  type InstanceRow,
  PREDECESSOR_THRESHOLDS,
  type VersionRow,
} from '../registry/registry-rows.js';
import { parseEntry } from '../registry/registry-validation.js';
import { measure } from '../registry/row-limits.js';
import type { SubjectRules } from '../registry/subject-rules.js';
import { expectation } from '../schema-problem.js';
import { defaultOf, FILE_FORMAT, MAX_VERSION_LENGTH, ROW_FIELDS, type RowKind } from './registry-file-schema.js';

/** Levels of nesting that a file may have. */
export const MAX_FILE_DEPTH = 100;
/** Levels of the file above a field of an extension. */
const DEEPEST_FIELD = MAX_FILE_DEPTH - 3;

/** A row of the registry as a file says it. `fields` holds what the file names. */
export interface FileRow {
  readonly kind: RowKind;
  readonly extensionId: string;
  /** Of the version or instance; '' for an extension. */
  readonly name: string;
  readonly fields: JsonMap;
}

/** REGISTRY-FILE-1. */
export function parseRegistryFile(
  tree: Json,
  rules: SubjectRules,
): { readonly rows: readonly FileRow[] } | { readonly problems: readonly string[] } {
  if (!isJsonMap(tree)) return { problems: [`the file must be a map of format and extensions, got ${shown(tree)}`] };
  const problems: string[] = [];
  if (tree.format !== FILE_FORMAT) problems.push(`format must be ${FILE_FORMAT}, got ${shown(tree.format)}`);
  problems.push(...unknownKeys(tree, ['$schema', 'format', 'extensions'], []), ...unstorable(tree, []));
  const rows: FileRow[] = [];
  const extensions = new Map(entriesOf(tree.extensions, ['extensions'], 'extensions by their ids', problems));
  for (const [id, extension] of extensions) readExtension(id, extension, rules, problems, rows);
  problems.push(...fallbackProblems(extensions));
  return problems.length > 0 ? { problems } : { rows };
}

/** REGISTRY-FILE-3, REGISTRY-FILE-4. The value of a column that a file need not contain is omitted. */
export function registryFile(rows: readonly FileRow[]): JsonMap {
  const byExtension = new Map<string, FileRow[]>();
  for (const row of [...rows].sort(byName)) {
    const own = byExtension.get(row.extensionId) ?? [];
    byExtension.set(row.extensionId, own);
    own.push(row);
  }
  const children = (own: readonly FileRow[], kind: RowKind): JsonMap => {
    const named = own.filter((row) => row.kind === kind).map((row) => [row.name, saidOf(row)]);
    return named.length === 0 ? {} : { [`${kind}s`]: Object.fromEntries(named) };
  };
  const extensions = [...byExtension].map(([id, own]) => {
    const [extension] = own.filter((row) => row.kind === 'extension');
    const said = extension === undefined ? {} : saidOf(extension);
    return [id, { ...said, ...children(own, 'version'), ...children(own, 'instance') }];
  });
  return { format: FILE_FORMAT, extensions: Object.fromEntries(extensions) };
}

/** By extension, then extension before versions before instances, then name; by code unit, as no collation does. */
export function byName(a: FileRow, b: FileRow): number {
  const kinds = ['extension', 'version', 'instance'];
  return (
    compare(a.extensionId, b.extensionId) || kinds.indexOf(a.kind) - kinds.indexOf(b.kind) || compare(a.name, b.name)
  );
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function saidOf({ kind, fields }: FileRow): JsonMap {
  const said = Object.keys(ROW_FIELDS[kind]).flatMap((field): [string, Json][] => {
    const value = fields[field];
    const byDefault = defaultOf(kind, field);
    const isNothing = typeof byDefault === 'object' && value !== undefined && isSameJson(value, byDefault);
    return value === undefined || isNothing ? [] : [[field, value]];
  });
  return Object.fromEntries(said);
}

type Path = readonly string[];

/** `extensions.normalize_text.versions.v2`; what is not a plain word is quoted. */
export const pathText = (path: Path): string =>
  path.map((part) => (/^[A-Za-z0-9_:-]+$/.test(part) ? part : JSON.stringify(part))).join('.');

function shown(value: Json | undefined): string {
  if (value === undefined) return 'nothing';
  const text = stringifyExactJson(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

const unknownKeys = (given: JsonMap, known: readonly string[], at: Path): string[] =>
  Object.keys(given).flatMap((key) => (known.includes(key) ? [] : [`${pathText([...at, key])} is no such field`]));

function entriesOf(value: Json | undefined, at: Path, what: string, problems: string[]): [string, Json][] {
  if (isJsonMap(value)) return Object.entries(value);
  problems.push(`${pathText(at)} must be a map of ${what}, got ${shown(value)}`);
  return [];
}

/** What no column can hold, wherever it stands. */
function unstorable(value: Json, at: Path): string[] {
  const problem = storageProblem(value);
  if (problem !== null) return [`${pathText(at)} ${problem}`];
  if (typeof value !== 'object' || value === null) return [];
  if (at.length > MAX_FILE_DEPTH) return [`${pathText(at.slice(0, 4))} is nested deeper than ${MAX_FILE_DEPTH} levels`];
  return Object.entries(value).flatMap(([key, inner]) => {
    const ofKey = storageProblem(key);
    return [
      ...(ofKey === null ? [] : [`a key of ${pathText(at)} ${ofKey}`]),
      ...unstorable(inner as Json, [...at, key]),
    ];
  });
}

/** What the extensions say together: fallbacks that go in a circle, or to another type. */
function fallbackProblems(extensions: ReadonlyMap<string, Json>): string[] {
  const rows = [...extensions].flatMap(([id, given]) => {
    if (!isJsonMap(given)) return [];
    const { type, policy } = given;
    const fallback = isJsonMap(policy) ? policy.fallback : undefined;
    return [{ id, type: String(type), fallback: Array.isArray(fallback) ? fallback.map(String) : [] }];
  });
  return [...fallbacksInForce(rows).problems].flatMap(([id, problems]) =>
    problems.map((problem) => `${pathText(['extensions', id])}.${problem}`),
  );
}

function readExtension(id: string, given: Json, rules: SubjectRules, problems: string[], rows: FileRow[]): void {
  const at = ['extensions', id];
  if (!isJsonMap(given)) {
    problems.push(`${pathText(at)} must be a map of fields, got ${shown(given)}`);
    return;
  }
  const { versions = {}, instances = {}, ...own } = given;
  const extension = readRow('extension', id, '', own, at, problems);
  const children = [
    ...entriesOf(versions, [...at, 'versions'], 'versions by their names', problems).map(([name, fields]) => {
      if ([...name].length > MAX_VERSION_LENGTH)
        problems.push(
          `${pathText([...at, 'versions', name])} must have a name of at most ${MAX_VERSION_LENGTH} characters`,
        );
      return readRow('version', id, name, fields, [...at, 'versions', name], problems);
    }),
    ...entriesOf(instances, [...at, 'instances'], 'instances by their ids', problems).map(([name, fields]) =>
      readRow('instance', id, name, fields, [...at, 'instances', name], problems),
    ),
  ];
  refusedByDaemon(extension, children, rules, at, problems);
  rows.push(extension, ...children);
}

/** The row with those of its fields that have the right shape. */
function readRow(kind: RowKind, extensionId: string, name: string, given: Json, at: Path, problems: string[]): FileRow {
  const fields: [string, Json][] = [];
  const known = ROW_FIELDS[kind];
  if (isJsonMap(given)) problems.push(...unknownKeys(given, Object.keys(known), at));
  else problems.push(`${pathText(at)} must be a map of fields, got ${shown(given)}`);
  for (const [field, schema] of Object.entries(isJsonMap(given) ? known : {})) {
    const value = (given as JsonMap)[field];
    const wrong =
      value !== undefined
        ? shapeProblems(schema, value, [...at, field])
        : defaultOf(kind, field) === undefined
          ? [`${pathText([...at, field])} is missing`]
          : [];
    problems.push(...wrong);
    if (value !== undefined && wrong.length === 0)
      fields.push([field, isJsonField(field) ? value : (withoutExactNumbers(value) as Json)]);
  }
  return { kind, extensionId, name, fields: Object.fromEntries(fields) };
}

/** Fields whose numbers belong to extensions, so that no digit of theirs may be lost. */
export const isJsonField = (field: string): boolean =>
  ['config', 'metadata', 'policy', 'routing_rules'].includes(field);

const validators = new WeakMap<TSchema, Validator>();

function shapeProblems(schema: TSchema, value: Json, at: Path): string[] {
  const { properties } = schema as { properties?: Readonly<Record<string, TSchema>> };
  if (properties !== undefined && Object.keys(properties).length > 0 && isJsonMap(value))
    return [
      ...unknownKeys(value, Object.keys(properties), at),
      ...Object.entries(properties).flatMap(([name, inner]) =>
        value[name] === undefined ? [] : shapeProblems(inner, value[name], [...at, name]),
      ),
    ];
  const validator = validators.get(schema) ?? Compile(schema);
  validators.set(schema, validator);
  const plain = withoutExactNumbers(value);
  const problems = validator.Errors(plain).map((error) => `${pathText(at)} ${expectation(error)}, got ${shown(value)}`);
  if (problems.length > 0) return problems;
  const name = at.at(-1) ?? '';
  if (TWO_DIGITS.includes(name) && typeof plain === 'number' && Number(plain.toFixed(2)) !== plain)
    return [`${pathText(at)} must have at most two digits after the point, got ${shown(value)}`];
  if (at.at(-2) === 'thresholds' && PREDECESSOR_THRESHOLDS[name as keyof typeof PREDECESSOR_THRESHOLDS] === plain)
    return [
      `${pathText(at)} must not be ${shown(value)}, which counts as not set there: say policy.breaker.${name} instead`,
    ];
  return [];
}

/** Columns are `numeric(5, 2)`: what they would round would differ for ever. */
const TWO_DIGITS: readonly string[] = ['rollout_percent', 'error_rate_threshold'];

/** REGISTRY-FILE-1: the daemon's own judgement, of all that has the right shape. */
function refusedByDaemon(
  extension: FileRow,
  children: readonly FileRow[],
  rules: SubjectRules,
  at: Path,
  problems: string[],
): void {
  const id = extension.extensionId;
  const of = (kind: RowKind) => children.filter((row) => row.kind === kind);
  const { refused } = parseEntry(
    {
      extension: {
        id,
        ...columnsOf(extension, rules),
        auto_disabled: false,
        breaker_resets: 0,
        switched_by: null,
        put_back: null,
        revision: 0,
      } as ExtensionRow,
      versions: of('version').map(
        (row) =>
          ({
            id,
            version: row.name,
            ...columnsOf(row, rules),
            breaker_resets: 0,
            put_back: null,
            revision: 0,
          }) as VersionRow,
      ),
      instances: of('instance').map(
        (row) => ({ extension_id: id, instance_id: row.name, ...columnsOf(row, rules), revision: 0 }) as InstanceRow,
      ),
      facts: null,
      versionFacts: {},
      thresholds: null,
    },
    rules,
    null,
  );
  for (const row of refused) {
    const child =
      row.version !== undefined
        ? ['versions', row.version]
        : row.instanceId !== undefined
          ? ['instances', row.instanceId]
          : [];
    problems.push(...row.problems.map((problem) => `${pathText([...at, ...child])}.${problem}`));
  }
}

/** REGISTRY-FILE-3. What must be given and is wrong or missing was reported: a valid value takes its place. */
function columnsOf({ kind, fields }: FileRow, rules: SubjectRules): Readonly<Record<string, unknown>> {
  const placeholders: Readonly<Record<string, Json>> = {
    type: 'pre',
    subject: [...rules.allowedPrefixes.slice(0, 1), 'none'].join('.'),
  };
  // Of what is too deep for a file, that was reported already.
  const isReported = (value: unknown): boolean => measure(value, DEEPEST_FIELD) === 'too_deep';
  return Object.fromEntries(
    Object.keys(ROW_FIELDS[kind]).map((field) => {
      const given = fields[field];
      const value = given === undefined || isReported(given) ? undefined : given;
      return [field, withoutExactNumbers(value ?? defaultOf(kind, field) ?? placeholders[field] ?? null)];
    }),
  );
}
