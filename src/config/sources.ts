// Where settings are given: flags, environment and file, each read into a list of what was written, unchecked.
// config.ts decides between them and checks the values.
import { readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { ENV_PREFIX, envName, flagName, SETTING_KEYS, type SettingKey, settingOf } from './schema.js';

export interface ConfigInput {
  /** By key (`http_port`), as text or already parsed; `config` names the file. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where `extreg.config.yaml` is looked for, and what relative paths are relative to. */
  readonly cwd: string;
}

const CONFIG_FILES = ['extreg.config.yaml', 'extreg.config.yml', 'extreg.config.json'];
const CONFIG_VARIABLE = envName('config');
/** The token by which commands are let in: no setting, so that it is printed nowhere. */
const TOKEN_VARIABLE = envName('token');
const ROOT = 'extension_registry';

/** One value as it was written. */
export interface Given {
  readonly key: SettingKey;
  readonly origin: string;
  readonly value: unknown;
}

/** What each source gives, the strongest first. */
export function readSources(input: ConfigInput, problems: string[]): readonly (readonly Given[])[] {
  return [givenByFlags(input.flags, problems), givenByEnvironment(input.env, problems), givenByFile(input, problems)];
}

export const isEmpty = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  (typeof value === 'string' && value.trim() === '') ||
  (Array.isArray(value) && value.length === 0);

const KEY_BY_NAME: ReadonlyMap<string, SettingKey> = new Map(
  SETTING_KEYS.flatMap((key) => {
    const { alias } = settingOf(key);
    return alias ? [[key, key] as const, [alias, key] as const] : [[key, key] as const];
  }),
);

const KEY_BY_VARIABLE: ReadonlyMap<string, SettingKey> = new Map([
  ...[...KEY_BY_NAME].map(([name, key]) => [envName(name), key] as const),
  ...SETTING_KEYS.flatMap((key) => {
    const { env } = settingOf(key);
    return env ? [[env, key] as const] : [];
  }),
]);

function givenByFlags(flags: ConfigInput['flags'], problems: string[]): Given[] {
  const given: Given[] = [];
  for (const [name, value] of Object.entries(flags)) {
    if (name === 'config' || value === undefined) continue;
    const key = KEY_BY_NAME.get(name);
    if (!key) problems.push(`${flagName(name)}: no such flag${didYouMean(name, KEY_BY_NAME.keys(), flagName)}`);
    else given.push({ key, origin: `flag ${flagName(name)}`, value });
  }
  return given;
}

function givenByEnvironment(env: ConfigInput['env'], problems: string[]): Given[] {
  const given: Given[] = [];
  for (const [name, value] of Object.entries(env)) {
    if (name === CONFIG_VARIABLE || name === TOKEN_VARIABLE) continue;
    const key = KEY_BY_VARIABLE.get(name);
    if (key) given.push({ key, origin: `environment ${name}`, value });
    else if (name.startsWith(ENV_PREFIX))
      problems.push(`${name}: no such environment variable${didYouMean(name, KEY_BY_VARIABLE.keys())}`);
  }
  return given;
}

/** What the file gives; nothing if there is none. A file that was named must exist. */
function givenByFile(input: ConfigInput, problems: string[]): Given[] {
  const named = [input.flags.config, input.env[CONFIG_VARIABLE]].find((name) => !isEmpty(name));
  const found = named ? [String(named)] : CONFIG_FILES.filter((name) => isFile(resolve(input.cwd, name)));
  if (found.length > 1) problems.push(`${found.join(' and ')}: expected one configuration file, got ${found.length}`);
  const name = found[0];
  if (name === undefined) return [];

  let content: unknown;
  try {
    content = parseFile(name, readFileSync(resolve(input.cwd, name), 'utf8'));
  } catch (error) {
    problems.push(`${name}: expected a readable configuration file, got ${firstLine(error)}`);
    return [];
  }
  if (isEmpty(content)) return [];
  if (!isRecord(content)) {
    problems.push(`${name}: expected settings under '${ROOT}:', got ${shown(content)}`);
    return [];
  }
  for (const key of Object.keys(content).filter((key) => key !== ROOT)) {
    const hint = KEY_BY_NAME.has(key) ? `; settings belong under '${ROOT}:'` : didYouMean(key, [ROOT]);
    problems.push(`${key} (file ${name}): no such key${hint}`);
  }
  const settings = content[ROOT];
  if (isEmpty(settings)) return [];
  if (!isRecord(settings)) {
    problems.push(`${ROOT} (file ${name}): expected settings, got ${shown(settings)}`);
    return [];
  }
  const given: Given[] = [];
  for (const [key, value] of Object.entries(settings)) {
    const known = KEY_BY_NAME.get(key);
    if (known) given.push({ key: known, origin: `file ${name}${key === known ? '' : ` as ${key}`}`, value });
    else problems.push(`${key} (file ${name}): no such setting${didYouMean(key, KEY_BY_NAME.keys())}`);
  }
  return given;
}

/** Throws with a reason that quotes nothing of the file: a secret may be at the point of the error (CONFIG-4). */
function parseFile(name: string, source: string): unknown {
  if (!name.endsWith('.json')) {
    // Most commands have no file to read, and would wait for what reads one.
    const { parseDocument } = createRequire(import.meta.url)('#yaml') as typeof import('#yaml');
    const document = parseDocument(source, { prettyErrors: true });
    const [error] = document.errors;
    if (error) throw new Error(`YAML that is malformed at line ${error.linePos?.[0].line ?? '?'} (${error.code})`);
    return document.toJS();
  }
  try {
    return JSON.parse(source);
  } catch (error) {
    const position = /position \d+/.exec(firstLine(error))?.[0];
    throw new Error(`JSON that is malformed${position ? ` at ${position}` : ''}`);
  }
}

export function shown(value: unknown): string {
  if (typeof value === 'string') return `'${value.length > 200 ? `${value.slice(0, 200)}…` : value}'`;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return JSON.stringify(value) ?? String(value);
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const firstLine = (error: unknown): string =>
  String(error instanceof Error ? error.message : error).split('\n')[0] ?? '';

/** False also if it cannot be read: its use then says why. */
export function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** `, did you mean 'x'?` for the nearest name within a third of its length; '' if none is near. */
function didYouMean(got: string, names: Iterable<string>, spell: (name: string) => string = (name) => name): string {
  let best: string | null = null;
  let bestDistance = Math.floor(got.length / 3) + 1;
  for (const name of names) {
    const distance = editDistance(got, name, bestDistance);
    if (distance < bestDistance) {
      best = name;
      bestDistance = distance;
    }
  }
  return best === null ? '' : `; did you mean ${spell(best)}?`;
}

/** Levenshtein, given up at `limit`. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substituted = (previous[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(substituted, (previous[j] as number) + 1, (row[j - 1] as number) + 1));
    }
    previous = row;
  }
  return previous[b.length] as number;
}
