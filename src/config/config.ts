// The configuration in force: read from flags, environment and file, checked whole, frozen.
//
// CONFIG-1. Flag over environment over file over default; empty means unset.
// CONFIG-2. All problems are reported together, each problem with the key, where it came from, what was got and what was expected.
// CONFIG-3. Nothing is ignored silently: an unknown key or variable is a problem, and so is a part of a database, a NATS
//     login or the webhooks without the address it belongs to. (If there is a whole `database_url`, it wins over the parts.)
// CONFIG-4. A secret is in no message and no print.
//
// Long: one function for each rule of the configuration.
import { accessSync, constants } from 'node:fs';
import { isIP } from 'node:net';
import { isAbsolute, resolve } from 'node:path';
import { Value } from '#typebox/value';
import type { DatabaseConnection, SslMode } from '../db/client.js';
import type { BreakerSettings } from '../domain/registry/policy.js';
import { ConfigError } from './error.js';
import { masked } from './masking.js';
import {
  type Config,
  expectedText,
  POSTGRES_URL,
  SETTING_KEYS,
  type Setting,
  type SettingKey,
  schemaFields,
  settingOf,
} from './schema.js';
import { type ConfigInput, firstLine, type Given, isEmpty, isFile, readSources, shown } from './sources.js';

export { ConfigError } from './error.js';
export type { Config, ConfigInput };

/** `config`, and for each key where its value came from: `default`, or the flag, variable or file. */
export interface ExplainedConfig {
  readonly config: Config;
  readonly origins: Readonly<Record<SettingKey, string>>;
}

/** The configuration, or a ConfigError with all that is wrong. */
export function loadConfig(input: ConfigInput): Config {
  return explainConfig(input).config;
}

export function explainConfig(input: ConfigInput): ExplainedConfig {
  const problems: string[] = [];
  const sources = readSources(input, problems);
  const values: Record<string, unknown> = {};
  const origins: Record<string, string> = {};
  const bad = new Set<SettingKey>();
  for (const key of SETTING_KEYS) {
    const given = sources.map((source) => strongest(source, key, problems)).find((found) => found !== null);
    origins[key] = given?.origin ?? 'default';
    const before = problems.length;
    values[key] = given ? readValue(given, input.cwd, problems) : fallback(key, input.cwd);
    if (problems.length > before) bad.add(key);
  }
  if (!bad.has('nats_url')) splitNatsLogin(values, origins, problems);
  checkTogether(values as Config, origins, bad, input.cwd, problems);
  if (problems.length > 0) throw new ConfigError(problems);
  for (const key of DATABASE_URLS) values[key] = withCertificateIn(input.cwd, values[key] as string | null);
  return { config: deepFreeze(values as Config), origins: Object.freeze(origins) as Record<SettingKey, string> };
}

function fallback(key: SettingKey, cwd: string): unknown {
  const setting = settingOf(key);
  return setting.path && setting.default !== null ? resolve(cwd, String(setting.default)) : setting.default;
}

/** CONFIG-1. A list that may be empty on purpose is given when it is written so. */
const isUnset = ({ key, value }: Given): boolean =>
  isEmpty(value) && !(Array.isArray(value) && settingOf(key).emptyList !== undefined);

/** The value that one source gives for a key; null if it gives none. Two names with different values are a problem. */
function strongest(source: readonly Given[], key: SettingKey, problems: string[]): Given | null {
  const given = source.filter((one) => one.key === key && !isUnset(one));
  const [first, second] = given;
  if (!first) return null;
  if (second && String(first.value).trim() !== String(second.value).trim())
    problems.push(
      `${key}: given twice and different: ${given.map((one) => `${shownValue(key, one.value)} by ${one.origin}`).join(', ')}`,
    );
  return first;
}

/** The checked value. If it is wrong the problem is recorded and the default is used. */
function readValue(given: Given, cwd: string, problems: string[]): unknown {
  const setting = settingOf(given.key);
  const parsed = parseValue(given.value, setting);
  const refuse = (note: string) => {
    problems.push(
      `${given.key} (${given.origin}): expected ${expectedText(setting)}, got ${shownValue(given.key, given.value)}${note}`,
    );
    return setting.default;
  };
  if (schemaFields(setting).type === 'string' && typeof parsed === 'number')
    return refuse('; put it in quotes, so that it stays as written');
  if (!Value.Check(setting.schema, parsed)) return refuse('');
  if (schemaFields(setting).pattern === POSTGRES_URL && !isDatabaseUrl(String(parsed))) return refuse('');
  if (URLS.includes(given.key) && ![parsed].flat().every((url) => URL.canParse(String(url)))) return refuse('');
  if (!setting.path) return parsed;
  const path = resolve(cwd, String(parsed));
  if (setting.path === 'file') {
    const reason = whyUnreadable(path);
    if (reason) return refuse(`: ${reason}`);
  }
  if (setting.path === 'directory' && isFile(path)) return refuse(', which is a file');
  return path;
}

/** Whose pattern lets through what is no URL, such as one with a port that is too high. */
const URLS = ['webhook_urls', 'inspector_url', 'http_public_url'];

const NUMBER = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i;
const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['false', false],
]);

/** Text as the setting's type, strictly: what is not wholly a number stays text, and is refused by the schema. */
function parseValue(value: unknown, setting: Setting): unknown {
  const { type } = schemaFields(setting);
  if (type === 'array' && Array.isArray(value))
    return value.length === 1 && value[0] === setting.emptyList ? [] : value;
  if (typeof value !== 'string') return value;
  const trimmed = value.trim();
  if (setting.emptyList !== undefined && trimmed === setting.emptyList) return [];
  if (type === 'array')
    return trimmed
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '');
  if (type === 'integer' || type === 'number') return NUMBER.test(trimmed) ? Number(trimmed) : value;
  if (type === 'boolean') return BOOLEANS.get(trimmed) ?? value;
  // A password may begin with a blank.
  return setting.secret === true ? value : trimmed;
}

/** Moves user and password, or the token, from `nats_url` to their own settings, where the NATS client expects them. */
function splitNatsLogin(values: Record<string, unknown>, origins: Record<string, string>, problems: string[]): void {
  if (typeof values.nats_url !== 'string') return;
  const servers = values.nats_url.split(',').map((server) => server.trim().replace(/\/$/, ''));
  const logins = new Set(servers.flatMap((server) => server.match(/^(?:[a-z]+:\/\/)?(.*)@/)?.[1] ?? []));
  values.nats_url = servers.map((server) => server.replace(/^([a-z]+:\/\/)?.*@/, '$1')).join(',');
  const [login] = logins;
  if (login === undefined) return;
  const elsewhere = [...NATS_LOGINS, 'nats_password'].filter((key) => origins[key] !== 'default');
  if (logins.size > 1 || elsewhere.length > 0) {
    const others = elsewhere.length > 0 ? elsewhere.join(', ') : `${logins.size} of them`;
    problems.push(`nats_url (${origins.nats_url}): expected one login, got one in the URL beside ${others}`);
    return;
  }
  const [user, password] = login.split(/:(.*)/).map(decoded);
  const parts = password === undefined ? { nats_token: user } : { nats_user: user, nats_password: password };
  for (const [key, value] of Object.entries(parts)) {
    values[key] = value;
    origins[key] = origins.nats_url ?? '';
  }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** What only several settings together show. A check rests while one of its settings is itself wrong. */
function checkTogether(
  config: Config,
  origins: Readonly<Record<string, string>>,
  bad: ReadonlySet<SettingKey>,
  cwd: string,
  problems: string[],
): void {
  const areFine = (...keys: SettingKey[]) => !keys.some((key) => bad.has(key));
  const isGiven = (key: SettingKey) => origins[key] !== 'default';
  const complain = (key: SettingKey, text: string) => problems.push(`${key} (${origins[key]}): ${text}`);

  const timeout = config.circuit_breaker_timeout_seconds;
  if (areFine('open_max_seconds', 'circuit_breaker_timeout_seconds') && config.open_max_seconds < timeout)
    complain(
      'open_max_seconds',
      `expected at least circuit_breaker_timeout_seconds (${timeout}), got ${config.open_max_seconds}`,
    );
  if (areFine('max_budget_ms', 'min_budget_ms') && config.max_budget_ms < config.min_budget_ms)
    complain('max_budget_ms', `expected at least min_budget_ms (${config.min_budget_ms}), got ${config.max_budget_ms}`);

  for (const key of DATABASE_URLS) {
    const certificate = areFine(key) ? rootCertificateOf(config[key] ?? '') : null;
    const why = certificate === null ? null : whyUnreadable(resolve(cwd, certificate));
    if (why !== null) complain(key, `sslrootcert: expected a readable file, got '${certificate}': ${why}`);
  }
  if (!isGiven('database_url') && !isGiven('db_host'))
    for (const key of DATABASE_PARTS.filter(isGiven))
      complain(key, 'expected a database it belongs to (database_url or db_host), got none');
  if (!isGiven('nats_url'))
    for (const key of NATS_PARTS.filter(isGiven))
      complain(key, 'expected nats_url beside it, got none; the embedded server makes its own token');
  if (!isGiven('webhook_urls'))
    for (const key of WEBHOOK_PARTS.filter(isGiven)) complain(key, 'expected webhook_urls beside it, got none');

  const logins = NATS_LOGINS.filter(isGiven);
  if (logins.length > 1) problems.push(`${logins.join(', ')}: expected one login for NATS, got ${logins.length}`);
  for (const key of NATS_PASSWORDS.filter(isGiven))
    if (!isGiven('nats_user')) complain(key, 'expected nats_user beside it, got none');
  if (NATS_PASSWORDS.every(isGiven)) problems.push(`${NATS_PASSWORDS.join(', ')}: expected one of them, got both`);
  for (const [cert, key] of CERTIFICATES)
    if (isGiven(cert) !== isGiven(key))
      complain(isGiven(cert) ? cert : key, `expected ${cert} and ${key} together, got one of them`);
}

const CERTIFICATES: readonly (readonly [SettingKey, SettingKey])[] = [
  ['nats_tls_cert_file', 'nats_tls_key_file'],
  ['http_tls_cert_file', 'http_tls_key_file'],
];
const DATABASE_PARTS: readonly SettingKey[] = [
  'database_direct_url',
  'database_pooler',
  'db_port',
  'db_name',
  'db_user',
  'db_password',
  'db_sslmode',
];
const NATS_LOGINS: readonly SettingKey[] = [
  'nats_token',
  'nats_token_file',
  'nats_user',
  'nats_nkey_seed_file',
  'nats_creds_file',
];
const NATS_PASSWORDS: readonly SettingKey[] = ['nats_password', 'nats_password_file'];
const NATS_PARTS: readonly SettingKey[] = [
  ...NATS_LOGINS,
  ...NATS_PASSWORDS,
  'nats_tls_ca_file',
  'nats_tls_cert_file',
  'nats_tls_key_file',
];
const WEBHOOK_PARTS: readonly SettingKey[] = ['webhook_secret', 'webhook_events', 'webhook_timeout_ms'];

/** Whether only programs of this host reach it. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, '$1');
  return bare === 'localhost' || bare === '::1' || (isIP(bare) === 4 && bare.startsWith('127.'));
}

/** The daemon's defaults for every breaker, in the names that a policy uses. */
export function breakerDefaults(config: Config): BreakerSettings {
  return {
    circuit_breaker_enabled: config.circuit_breaker_enabled,
    failure_threshold: config.circuit_breaker_failure_threshold,
    failure_rule: config.failure_rule,
    failure_rate_floor: config.failure_rate_floor,
    error_rate_threshold: config.circuit_breaker_error_rate_threshold,
    minimum_volume: config.minimum_volume,
    window_seconds: config.circuit_breaker_window_seconds,
    open_seconds: config.circuit_breaker_timeout_seconds,
    open_max_seconds: config.open_max_seconds,
    half_open_max_requests: config.circuit_breaker_half_open_max_requests,
    half_open_successes: config.half_open_successes,
    recovery_ramp_seconds: config.recovery_ramp_seconds,
    ejection_seconds: config.ejection_seconds,
  };
}

interface DatabasePlaces {
  readonly main: DatabaseConnection;
  /** For migrations and the change feed: past a pooler if an address is given, else the same. */
  readonly direct: DatabaseConnection;
}

/** The address of the database; null: the embedded one. Each names its TLS mode. */
export function databasePlaces(config: Config): DatabasePlaces | null {
  const main = config.database_url === null ? placeOfParts(config) : placeOfUrl(config.database_url, config);
  if (main === null) return null;
  return { main, direct: config.database_direct_url === null ? main : placeOfUrl(config.database_direct_url, config) };
}

function placeOfParts(config: Config): DatabaseConnection | null {
  if (config.db_host === null) return null;
  return {
    kind: 'parts',
    host: config.db_host,
    port: config.db_port,
    database: config.db_name,
    user: config.db_user,
    password: config.db_password,
    sslMode: config.db_sslmode ?? defaultSslMode(config.db_host),
  };
}

function placeOfUrl(url: string, config: Config): DatabaseConnection {
  const query = url.indexOf('?');
  if (query >= 0 && /[?&](sslmode|ssl)=/.test(url.slice(query))) return { kind: 'url', url };
  const host =
    query >= 0 && new URLSearchParams(url.slice(query)).has('host')
      ? '/'
      : (/^(\[[^\]]*\]|[^:/?,]*)/.exec(url.replace(/^[a-z]+:\/\/([^/?]*@)?/i, ''))?.[1] ?? '');
  const mode = config.db_sslmode ?? defaultSslMode(host);
  return { kind: 'url', url: `${url}${query >= 0 ? '&' : '?'}sslmode=${mode}` };
}

const DATABASE_URLS = ['database_url', 'database_direct_url'] as const;

/** With an absolute `sslrootcert`, as every path of the configuration is. */
function withCertificateIn(cwd: string, url: string | null): string | null {
  const certificate = url === null ? null : rootCertificateOf(url);
  if (url === null || certificate === null || isAbsolute(certificate)) return url;
  const path = encodeURIComponent(resolve(cwd, certificate)).replaceAll('%2F', '/');
  return url.replace(/([?&]sslrootcert=)[^&]*/, (_, name: string) => name + path);
}

/** The file that a URL's `sslrootcert` names; null if it names none. */
function rootCertificateOf(url: string): string | null {
  const path = new URLSearchParams(url.split('?', 2)[1]).get('sslrootcert');
  return path === 'system' ? null : path;
}

/** What does not leave the host needs no TLS. */
const defaultSslMode = (host: string): SslMode => (host.startsWith('/') || isLoopback(host) ? 'disable' : 'prefer');

/** Several hosts, separated by commas, count as the first; special characters in a password must be percent-encoded. */
function isDatabaseUrl(url: string): boolean {
  const single = url.replace(/,[^/?]*(?=[/?]|$)/, '');
  if (!URL.canParse(single)) return false;
  const { hostname, searchParams } = new URL(single);
  return hostname !== '' || searchParams.has('host');
}

/** The configuration as it may be shown. CONFIG-4. */
export function printableConfig(config: Config): Record<SettingKey, unknown> {
  return Object.fromEntries(SETTING_KEYS.map((key) => [key, masked(key, config[key])])) as Record<SettingKey, unknown>;
}

const shownValue = (key: SettingKey, value: unknown): string => shown(masked(key, value));

/** null: the file can be read. */
function whyUnreadable(path: string): string | null {
  try {
    accessSync(path, constants.R_OK);
    return isFile(path) ? null : 'not a file';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'no such file' : firstLine(error);
  }
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) for (const inner of Object.values(value)) deepFreeze(inner);
  return Object.freeze(value);
}
