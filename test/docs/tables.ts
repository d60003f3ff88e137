// The tables of the documents, as the code has them. `UPDATE_DOCS=1` makes the tests write them instead of comparing.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  envName,
  expectedText,
  flagName,
  SETTING_KEYS,
  type Setting,
  schemaFields,
  settingOf,
} from '../../src/config-schema.js';
import { ERROR_TABLE, UNAVAILABLE_REASONS } from '../../src/domain/errors.js';
import { HEALTH_CHECK_SETTINGS } from '../../src/domain/policy.js';
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
    ['reason', 'when'],
    Object.entries(UNAVAILABLE_REASONS).map(([name, when]) => [code(name), when]),
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
      const { default: byDefault, minimum, maximum, maxLength, description } = schema as SchemaFields;
      const range =
        maxLength !== undefined
          ? `at most ${maxLength} characters`
          : minimum === undefined
            ? '-'
            : maximum === undefined
              ? `from ${minimum}`
              : `${minimum} to ${maximum}`;
      return [code(name), byDefault === undefined ? '-' : code(String(byDefault)), range, description ?? ''];
    }),
  );

interface SchemaFields {
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
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
