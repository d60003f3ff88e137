// `extreg show`, `create`, `set`, `unset` and `delete`: rows of the registry by the admin API of a daemon (docs/http-api.md).
//
// A change is made in the revision that was read: what another operator did meanwhile is not overwritten, but reported.
import { createInterface } from 'node:readline/promises';
import { Command } from '#commander';
import {
  fieldText,
  isJsonMap,
  type Json,
  type JsonMap,
  parseExactJson,
  stringifyExactJson,
} from '../../domain/exact-json.js';
import { adminRequest } from '../daemon/admin-request.js';
import { adminUrl } from '../daemon/admin-url.js';
import type { CommandFactory } from '../options/command-definition.js';
import { textTable } from '../output/output.js';
import { CommandError, EXIT } from '../process/command-error.js';
import type { CommandIo } from '../process/command-io.js';
import type { FieldChange } from '../registry/row-fields.js';

/** Loaded by the commands that need it: not by the overview of all (MAIN-4). */
const rowFields = () => import('../registry/row-fields.js');

interface RowOptions {
  readonly version?: string;
  readonly instance?: string;
  readonly reason?: string;
  readonly json?: true;
  readonly yes?: true;
}

const MAX_DEPTH = 100;
/** What a row says beside its fields. */
const BESIDE = ['revision', 'in_force', 'refused', 'updated_at', 'updated_by', 'counts'];

const rowCommand = (name: string, description: string): Command =>
  new Command(name)
    .description(description)
    .argument('<id>', 'extension')
    .option('--version <version>', 'the row of this version')
    .option('--instance <instance>', 'the row of this instance')
    .option('--json', 'print JSON');

const changing = (command: Command): Command => command.requiredOption('--reason <text>', 'why, for the audit trail');

export const showCommand: CommandFactory = (io) => ({
  command: rowCommand('show', 'show the row of an extension, a version or an instance'),
  settings: 'http',
  action: async (id: string, options: RowOptions) => {
    const base = await adminUrl(io, options);
    const url = rowUrl(base, id, options);
    const { row } = await readRow(url);
    if (options.json) return void io.stdout.write(`${stringifyExactJson(row, 2)}\n`);
    io.stdout.write(rowText(row));
    if (options.version !== undefined || options.instance !== undefined) return;
    for (const kind of ['versions', 'instances'] as const) {
      const { text } = await adminRequest(`${url}/${kind}`, { method: 'GET' });
      const { items } = parseExactJson(text, MAX_DEPTH) as unknown as { items: readonly JsonMap[] };
      if (items.length > 0) io.stdout.write(`\n${listText(kind, items)}`);
    }
  },
});

export const createCommand: CommandFactory = (io) => ({
  command: changing(rowCommand('create', 'make an extension, a version or an instance')).argument(
    '<field=value...>',
    'fields of the row: type=pre subject=ext.a policy.max_in_flight=50; a value is JSON, or a text',
  ),
  settings: 'http',
  action: async (id: string, assignments: string[], options: RowOptions) => {
    const url = rowUrl(await adminUrl(io, options), id, options);
    const { withFields } = await rowFields();
    const made = await put(url, withFields({}, assignments), { 'if-none-match': '*' }, options, io);
    io.stdout.write(options.json ? `${stringifyExactJson(made, 2)}\n` : rowText(made));
  },
});

export const setCommand: CommandFactory = (io) => ({
  command: changing(rowCommand('set', 'change fields of a row')).argument(
    '<field=value...>',
    'timeout_ms=800 policy.breaker.failure_threshold=3; a value is JSON, or a text',
  ),
  settings: 'http',
  action: (id: string, assignments: string[], options: RowOptions) =>
    change(io, id, options, async (row) => {
      const { withFields } = await rowFields();
      // ROWS-4: it is named, so it is decided.
      const own = assignments.some((one) => one.startsWith('enabled=')) ? { ...row, auto_disabled: false } : row;
      return withFields(own, assignments);
    }),
});

export const unsetCommand: CommandFactory = (io) => ({
  command: changing(rowCommand('unset', 'give fields of a row their default')).argument(
    '<field...>',
    'policy.breaker.failure_threshold, rollout_percent',
  ),
  settings: 'http',
  action: (id: string, names: string[], options: RowOptions) =>
    change(io, id, options, async (row) => (await rowFields()).withoutFields(row, names)),
});

export const deleteCommand: CommandFactory = (io) => ({
  command: changing(
    rowCommand('delete', 'delete an extension with its versions and instances, or one of those'),
  ).option('--yes', 'without asking'),
  settings: 'http',
  action: async (id: string, options: RowOptions) => {
    const url = rowUrl(await adminUrl(io, options), id, options);
    const { row, etag } = await readRow(url);
    await confirm(io, id, row, options);
    await adminRequest(`${url}${query(options, io)}`, { method: 'DELETE', headers: { 'if-match': etag } });
    io.stdout.write(options.json ? `${stringifyExactJson(row, 2)}\n` : `deleted ${nameOf(id, options)}\n`);
  },
});

async function change(
  io: CommandIo,
  id: string,
  options: RowOptions,
  edit: (row: JsonMap) => Promise<JsonMap>,
): Promise<void> {
  const url = rowUrl(await adminUrl(io, options), id, options);
  const { row, etag } = await readRow(url);
  const after = await put(url, await edit(row), { 'if-match': etag }, options, io);
  if (options.json) return void io.stdout.write(`${stringifyExactJson(after, 2)}\n`);
  const fields = (of: JsonMap): JsonMap =>
    Object.fromEntries(Object.entries(of).filter(([name]) => !BESIDE.includes(name)));
  const { changesBetween } = await rowFields();
  io.stdout.write(changesText(changesBetween(fields(row), fields(after)), after));
}

async function put(
  url: string,
  row: JsonMap,
  headers: Readonly<Record<string, string>>,
  options: RowOptions,
  io: CommandIo,
): Promise<JsonMap> {
  const text = stringifyExactJson(row);
  const answer = await adminRequest(`${url}${query(options, io)}`, { method: 'PUT', headers, text });
  return parseExactJson(answer.text, MAX_DEPTH) as JsonMap;
}

async function readRow(url: string): Promise<{ readonly row: JsonMap; readonly etag: string }> {
  const { text, etag } = await adminRequest(url, { method: 'GET' });
  return { row: parseExactJson(text, MAX_DEPTH) as JsonMap, etag: etag ?? '*' };
}

function rowUrl(base: string, id: string, { version, instance }: RowOptions): string {
  if (version !== undefined && instance !== undefined)
    throw new CommandError(EXIT.usage, '--version and --instance: expected one of them, got both');
  const own = `${base}/admin/extensions/${encodeURIComponent(id)}`;
  if (version !== undefined) return `${own}/versions/${encodeURIComponent(version)}`;
  return instance === undefined ? own : `${own}/instances/${encodeURIComponent(instance)}`;
}

const query = ({ reason = '' }: RowOptions, io: CommandIo): string =>
  `?${new URLSearchParams({ reason, by: io.userName() })}`;

const nameOf = (id: string, { version, instance }: RowOptions): string =>
  version !== undefined ? `version ${version} of ${id}` : instance !== undefined ? `instance ${instance} of ${id}` : id;

/** What cannot be undone is named once more, on a terminal; elsewhere it needs --yes. */
async function confirm(io: CommandIo, id: string, row: JsonMap, options: RowOptions): Promise<void> {
  if (options.yes) return;
  if (io.stdin.isTTY !== true)
    throw new CommandError(
      EXIT.usage,
      `--yes: expected, since no terminal can be asked whether to delete ${nameOf(id, options)}`,
    );
  const expected = options.version ?? options.instance ?? id;
  const { counts } = row;
  const along = isJsonMap(counts)
    ? `, with ${fieldText(counts.versions)} versions and ${fieldText(counts.instances)} instances`
    : '';
  const terminal = createInterface({ input: io.stdin, output: io.stderr });
  try {
    const typed = await terminal.question(`This deletes ${nameOf(id, options)}${along}. Type ${expected} to go on: `);
    if (typed.trim() !== expected) throw new CommandError(EXIT.usage, 'nothing was deleted');
  } finally {
    terminal.close();
  }
}

const rowText = (row: JsonMap): string =>
  textTable(
    ['FIELD', 'VALUE'],
    Object.entries(row).map(([name, value]) => [name, name === 'refused' ? whyRefused(value) : fieldText(value)]),
  );

/** `{since, problems}` in one line; as other fields if it is none. */
function whyRefused(refused: Json | undefined): string {
  if (!isJsonMap(refused) || !Array.isArray(refused.problems)) return fieldText(refused);
  return `since ${fieldText(refused.since)}: ${refused.problems.map((problem) => fieldText(problem)).join('; ')}`;
}

function listText(kind: 'versions' | 'instances', items: readonly JsonMap[]): string {
  const problems = items.flatMap(({ version, id, refused }) =>
    isJsonMap(refused) ? [`${fieldText(kind === 'versions' ? version : id)} is refused ${whyRefused(refused)}\n`] : [],
  );
  return `${tableOf(kind, items)}${problems.join('')}`;
}

function tableOf(kind: 'versions' | 'instances', items: readonly JsonMap[]): string {
  const cell = (value: Json | undefined): string => (value === null ? '-' : fieldText(value));
  return kind === 'versions'
    ? textTable(
        ['VERSION', 'ENABLED', 'SUBJECT', 'TIMEOUT ms', 'PERCENT', 'RULES', 'REVISION', 'IN FORCE'],
        items.map((row) => [
          ...[row.version, row.enabled, row.subject, row.timeout_ms, row.rollout_percent, row.routing_rules].map(cell),
          ...[row.revision, row.in_force].map(cell),
        ]),
      )
    : textTable(
        ['INSTANCE', 'ENABLED', 'SUBJECT', 'WEIGHT', 'VERSION', 'REVISION', 'IN FORCE'],
        items.map((row) =>
          [row.id, row.enabled, row.subject, row.weight, row.version, row.revision, row.in_force].map(cell),
        ),
      );
}

function changesText(changes: readonly FieldChange[], after: JsonMap): string {
  const { revision, in_force: inForce } = after;
  if (changes.length === 0) return `already set; no change (revision ${fieldText(revision)})\n`;
  const table = textTable(
    ['FIELD', 'FROM', 'TO'],
    changes.map(({ name, from, to }) => [name, from, to]),
  );
  return `${table}\nrevision ${fieldText(revision)}, ${inForce === true ? 'in force' : 'not in force on this daemon yet: extreg show says why'}\n`;
}
