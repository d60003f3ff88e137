// The tables of the documents, as the code has them. `UPDATE_DOCS=1` makes the tests write them instead of comparing.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { breakerDefaults, loadConfig } from '../../src/config.js';
import {
  envName,
  expectedText,
  flagName,
  SETTING_KEYS,
  type Setting,
  schemaFields,
  settingOf,
} from '../../src/config-schema.js';
import { ERROR_TABLE, LASTING_REASONS, UNAVAILABLE_REASONS, type UnavailableReason } from '../../src/domain/errors.js';
import { BREAKER_SETTINGS, HEALTH_CHECK_SETTINGS, policySchema } from '../../src/domain/policy.js';
import { HTTP_ERRORS } from '../../src/http/http-errors.js';
import { DAEMON_METRICS, EXTENSION_METRICS, type Metric } from '../../src/telemetry/metrics.js';

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

const root = new URL('../../../', import.meta.url);

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
