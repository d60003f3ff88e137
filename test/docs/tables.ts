// The tables of the documents, as the code has them. `UPDATE_DOCS=1` makes the tests write them instead of comparing.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { breakerDefaults, loadConfig } from '../../src/config/config.js';
import {
  envName,
  expectedText,
  flagName,
  SETTING_KEYS,
  type Setting,
  schemaFields,
  settingOf,
} from '../../src/config/schema.js';
import { RELOADED_SETTINGS } from '../../src/daemon/settings-in-force.js';
import { extensionHealthSchema, healthReportSchema } from '../../src/domain/health/health-schema.js';
import {
  ERROR_TABLE,
  LASTING_REASONS,
  UNAVAILABLE_REASONS,
  type UnavailableReason,
} from '../../src/domain/registry/errors.js';
import { EVENT_KINDS } from '../../src/domain/registry/events.js';
import {
  BREAKER_SETTINGS,
  HEALTH_CHECK_SETTINGS,
  OWN_BREAKER_SETTINGS,
  policySchema,
} from '../../src/domain/registry/policy.js';
import { HTTP_ERRORS } from '../../src/http/app/http-errors.js';
import { adminVerbs } from '../../src/nats/services/admin-verbs.js';
import { SERVICE_NAME } from '../../src/nats/services/micro.js';
import { registryVerbs } from '../../src/nats/services/registry-verbs.js';
import { INBOX_PREFIX, microSubjects, QUEUE_GROUP, Subjects } from '../../src/nats/wire/subjects.js';
import { EXTENSION_METRICS } from '../../src/telemetry/extension-metrics.js';
import { DAEMON_METRICS, type Metric } from '../../src/telemetry/metrics.js';

const table = (header: readonly string[], rows: readonly (readonly string[])[]): string =>
  [header, header.map(() => '---'), ...rows].map((cells) => `| ${cells.map(cell).join(' | ')} |\n`).join('');

const cell = (text: string): string => text.replaceAll('|', '\\|');
const code = (text: string): string => `\`${text}\``;

export function configurationTable(): string {
  return table(
    ['key', 'environment', 'flag', 'default', 'range', 'what it does'],
    SETTING_KEYS.map((key) => {
      const setting = settingOf(key);
      const flag = flagName(key);
      return [
        [key, ...(setting.alias ? [setting.alias] : [])].map(code).join(' or '),
        [...(setting.env ? [setting.env] : []), envName(key)].map(code).join(' or '),
        schemaFields(setting).type === 'boolean' ? `${code(flag)}, ${code(flag.replace('--', '--no-'))}` : code(flag),
        defaultText(setting),
        expectedText(setting),
        schemaFields(setting).description ?? '',
      ];
    }),
  );
}

/** By the schema of the settings: a file that one names is read again; of the settings themselves, RELOADED_SETTINGS are. */
export function reloadTable(): string {
  const files = SETTING_KEYS.filter((key) => settingOf(key).path === 'file');
  return table(
    ['what was changed', 'in force after'],
    [
      ['rows of the registry', 'a second at most; a reload reads all of them again'],
      ['access tokens in the database', 'two seconds at most; a reload reads them again'],
      [
        `the content of a file that a setting names: ${files.map(code).join(', ')}`,
        'a reload; those for NATS also at each connect. What is invalid is logged, and its last valid content stays in force',
      ],
      [RELOADED_SETTINGS.map(code).join(', '), 'a reload'],
      [
        'any other change of the configuration file or the environment: every setting of [configuration.md](configuration.md), also to another one of those files',
        'a restart; `extreg reload` lists those that differ (`needs_restart`) and what would keep the daemon from starting (`configuration_problems`)',
      ],
    ],
  );
}

/** Of bench/RESULTS.md, as it stands there. Throws where a row is not there. */
export function sizingTable(): string {
  const results = readDocument('../bench/RESULTS.md');
  const cellsOf = (name: string): string[] => {
    const line = results.split('\n').find((one) => one.startsWith(`| ${name} |`));
    if (line === undefined) throw new Error(`bench/RESULTS.md has no row ${name}`);
    return line
      .split('|')
      .slice(2, -1)
      .map((cell) => cell.trim());
  };
  const [, small = '', large = ''] = /^\| {2}\| (\d+) extensions \| (\d+) extensions \|$/m.exec(results) ?? [];
  const bytes = (name: string): string => `${(Number(cellsOf(name)[0]) / 1000).toFixed(1)} kB`;
  const ofDaemon = (name: string, row: string): string[] => [name, ...cellsOf(row)];
  const [, called = ''] = /^\| this daemon, one extension \| 3 \| 256 \| (.*) \|$/m.exec(results) ?? [];
  const [callsPerSecond = '', , , micros = ''] = called.split(' | ');
  if (small === '' || micros === '') throw new Error('bench/RESULTS.md: the tables of scale and wire have changed');
  return `${table(
    ['a daemon with', `${small} extensions`, `${large} extensions`],
    [
      ofDaemon('memory, ready', 'resident memory'),
      ofDaemon('memory, each extension called once', 'resident memory after that'),
      ofDaemon('from start to ready', 'start to ready'),
      ofDaemon('processor time, idle', 'idle processor time'),
    ],
  )}\n${table(
    ['heap of one', 'memory'],
    [
      ['extension that is idle', bytes('this daemon: extension, idle (row, runtime, target, actor, route)')],
      ['extension with 3 instances, idle', bytes('this daemon: extension with 3 instances, idle')],
      ['extension with 4 instances, 20 calls a second', bytes('this daemon: extension with 4 instances, busy')],
    ],
  )}\nCalls of one extension with bodies of 256 bytes and 256 in flight: ${callsPerSecond} a second, ${micros} µs of processor time each.\n`;
}

function defaultText(setting: Setting): string {
  if (setting.defaultText) return setting.defaultText;
  if (setting.default === null) return 'unset';
  if (!Array.isArray(setting.default)) return code(String(setting.default));
  return setting.default.length === 0 ? 'empty' : setting.default.map(code).join(', ');
}

export const errorTable = (): string =>
  table(
    ['code', 'status', 'retryable', 'when'],
    Object.entries(ERROR_TABLE).map(([name, { status, retryable, when }]) => [
      code(name),
      String(status),
      retryable.replace('_', ' '),
      when,
    ]),
  );

export const reasonTable = (): string =>
  table(
    ['reason', 'retryable', 'when'],
    Object.entries(UNAVAILABLE_REASONS).map(([name, when]) => [
      code(name),
      LASTING_REASONS.has(name as UnavailableReason) ? 'no' : 'yes',
      when,
    ]),
  );

export const httpErrorTable = (): string =>
  table(
    ['code', 'status', 'when'],
    Object.entries(HTTP_ERRORS).map(([name, { status, when }]) => [code(name), String(status), when]),
  );

const metricTable = (metrics: Readonly<Record<string, Metric>>): string =>
  table(
    ['name', 'type', 'labels', 'what it says'],
    Object.entries(metrics).map(([name, { type, labels, help }]) => [
      code(name),
      type,
      labels.map(code).join(', ') || '-',
      help,
    ]),
  );

export const extensionMetricTable = (): string => metricTable(EXTENSION_METRICS);
export const daemonMetricTable = (): string => metricTable(DAEMON_METRICS);

export const healthCheckTable = (): string =>
  table(
    ['setting', 'default', 'range', 'what it does'],
    Object.entries(HEALTH_CHECK_SETTINGS).map(([name, schema]) => {
      const { default: byDefault, description = '' } = schema as SchemaFields;
      return [code(name), byDefault === undefined ? '-' : code(String(byDefault)), rangeOf(schema), description];
    }),
  );

/** Every name of a policy, those within another by their whole path. */
export const policyTable = (): string =>
  table(['name', 'default', 'range', 'what it does'], policyRows('', policySchema.properties));

function policyRows(prefix: string, properties: Readonly<Record<string, object>>): string[][] {
  return Object.entries(properties).flatMap(([name, schema]) => {
    const path = prefix + name;
    const { properties: within, default: byDefault, description = '' } = schema as SchemaFields;
    if (within !== undefined) return policyRows(`${path}.`, within);
    const told = path.startsWith('breaker.') ? breakerDefault(name) : byDefault === undefined ? '-' : listed(byDefault);
    return [[code(path), told, rangeOf(schema), description]];
  });
}

/** A breaker is set up by the configuration where no policy does it. */
function breakerDefault(name: string): string {
  if (Object.hasOwn(OWN_BREAKER_SETTINGS, name)) return 'off';
  const schema = BREAKER_SETTINGS[name as keyof typeof BREAKER_SETTINGS];
  const key = SETTING_KEYS.find((one) => settingOf(one).schema === schema);
  const value = breakerDefaults(loadConfig({ flags: {}, env: {}, cwd: '/nonexistent' }))[
    name as keyof typeof BREAKER_SETTINGS
  ];
  return `${code(String(value))} (${code(key ?? '')})`;
}

const listed = (value: unknown): string => (Array.isArray(value) && value.length === 0 ? 'empty' : code(String(value)));

function rangeOf(schema: object): string {
  const { type, enum: allowed, minimum, maximum, not, maxItems, maxLength } = schema as SchemaFields;
  if (not !== undefined) return `${minimum}, ${not.maximum + 1} to ${maximum}`;
  if (allowed !== undefined) return allowed.map((value) => code(String(value))).join(', ');
  if (type === 'boolean') return '`true`, `false`';
  if (maxItems !== undefined) return `at most ${maxItems}`;
  if (maxLength !== undefined) return `at most ${maxLength} characters`;
  if (minimum === undefined) return '-';
  return maximum === undefined ? `from ${minimum}` : `${minimum} to ${maximum}`;
}

interface SchemaFields {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, object>>;
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  /** All between the least and the rest. */
  readonly not?: { readonly maximum: number };
  readonly maxItems?: number;
  readonly maxLength?: number;
  readonly description?: string;
}

/** `<…>` stands for one token. */
export function subjectTable(): string {
  const subjects = new Subjects(loadConfig({ flags: {}, env: {}, cwd: '/nonexistent' }).subject_prefix);
  const below = (all: string, ...tokens: string[]): string => all.replace('>', tokens.join('.'));
  const verbs = [...adminVerbs(UNASKED).keys(), ...registryVerbs(UNREAD).keys()].map(code).join(', ');
  const event = subjects
    .event('kind', 'extension_id')
    .replace('kind', '<kind>')
    .replace('extension_id', '<extension_id>');
  const group = `queue group ${code(QUEUE_GROUP)}`;
  return table(
    ['subject', 'from', 'to', 'what'],
    [
      [code(below(subjects.invokeAll, '<extension_id>')), 'caller', `daemon, ${group}`, 'A call.'],
      [
        code(below(subjects.invokeAll, '<extension_id>', '<tenant_id>')),
        'caller',
        `daemon, ${group}`,
        'A call that names its tenant: a NATS permission can bind a caller to it.',
      ],
      ['the `subject` of the row', 'daemon', 'extension, its own queue group', 'An attempt, or an active check.'],
      [
        code(`${INBOX_PREFIX}.<…>.<…>`),
        'extension',
        'daemon',
        'The reply subject of an attempt; it cannot be guessed, and is good for one reply.',
      ],
      [
        code(event),
        'daemon',
        'any subscriber',
        `Events: ${EVENT_KINDS.map(code).join(', ')}. The body is JSON (webhooks.md).`,
      ],
      [
        code(below(subjects.adminAll, '<verb>')),
        'anyone',
        `daemon, ${group}`,
        `Verbs that only read: ${verbs}. With an [access token](access.md#over-nats) as soon as there is one; on a server that is not the daemon's own, only then.`,
      ],
      [
        (['hb', 'hello', 'bye'] as const).map((what) => code(subjects.fleet(what))).join(', '),
        'daemon',
        'every daemon',
        'What replicas of a [fleet](scaling.md) say of themselves.',
      ],
      ...(['PING', 'INFO', 'STATS'] as const).map((verb) => [
        microSubjects(verb, SERVICE_NAME, '<id>').map(code).join(', '),
        'anyone',
        'every daemon',
        `Discovery: ${verb.toLowerCase()} of NATS micro.`,
      ]),
    ],
  );
}

/** Only the names of the verbs are read. */
const UNASKED = {} as Parameters<typeof adminVerbs>[0];
const UNREAD = {} as Parameters<typeof registryVerbs>[0];

/** As far as the schemas of the health views use it. */
interface HealthField {
  readonly type: string | readonly string[];
  readonly unit?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, HealthField>>;
  readonly items?: HealthField;
}

const HEALTH_REPORT = healthReportSchema as unknown as HealthField;
const ONE_EXTENSION = extensionHealthSchema as unknown as HealthField;
/** Those of `health`, which every version has too. */
const MEASUREMENTS = new Set(Object.keys(ONE_EXTENSION.properties?.health?.properties ?? {}));

/** Every field of the report, those within another by their whole path. */
export const healthReportTable = (): string => healthTable(healthRows('', HEALTH_REPORT, () => false));

/** What the view of one extension has beside the fields of `extensions[]`; `versions[]` without what `health` has too. */
export function oneHealthTable(): string {
  const known = HEALTH_REPORT.properties?.extensions?.items?.properties ?? {};
  const isKnown = (path: string): boolean => {
    const [, measured] = /^versions\[\]\.(\w+)/.exec(path) ?? [];
    return Object.hasOwn(known, path) || (measured !== undefined && MEASUREMENTS.has(measured));
  };
  return healthTable(healthRows('', ONE_EXTENSION, isKnown));
}

const healthTable = (rows: string[][]): string => table(['field', 'type', 'unit', 'what it says'], rows);

function healthRows(
  prefix: string,
  { properties = {} }: HealthField,
  isLeftOut: (path: string) => boolean,
): string[][] {
  return Object.entries(properties).flatMap(([name, field]) => {
    const path = `${prefix}${name}${field.items === undefined ? '' : '[]'}`;
    if (isLeftOut(path)) return [];
    const { unit = '', description = '' } = field;
    if (unit === '' || description === '') throw new Error(`${path} of the health API has no unit or no description`);
    const row = [code(path), [field.type].flat().join(' or '), unit, description];
    // The settings of breakers are in docs/configuration.md.
    const within = name === 'breaker_settings' ? [] : healthRows(`${path}.`, field.items ?? field, isLeftOut);
    return [row, ...within];
  });
}

const root = new URL('../../..', import.meta.url);

/**
 * What stands in a document between `<!-- name -->` and `<!-- /name -->`, next to what should.
 * Throws where the document has no such place.
 */
export function documented(
  file: string,
  name: string,
  expected: string,
): { readonly got: string; readonly expected: string } {
  const path = fileURLToPath(new URL(`docs/${file}`, root));
  const text = readFileSync(path, 'utf8');
  const begin = `<!-- ${name} -->\n`;
  const start = text.indexOf(begin);
  const end = text.indexOf(`<!-- /${name} -->`);
  if (start < 0 || end < start) throw new Error(`${file} has no place for ${name}`);
  if (process.env.UPDATE_DOCS === '1') {
    writeFileSync(path, text.slice(0, start) + begin + expected + text.slice(end));
    return { got: expected, expected };
  }
  return { got: text.slice(start + begin.length, end), expected };
}

export const readDocument = (file: string): string =>
  readFileSync(fileURLToPath(new URL(`docs/${file}`, root)), 'utf8');
