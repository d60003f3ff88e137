// `extreg create`, `set`, `unset` and `delete`: rows of the registry by the admin API of a daemon (docs/http-api.md).
//
// A change is made in the revision that was read: what another operator did meanwhile is not overwritten, but reported.

import { Command } from '#commander';
import { fieldText, isJsonMap, type JsonMap, stringifyExactJson } from '../../domain/exact-json.js';
import { DaemonClient } from '../daemon/daemon-client.js';
import { putRow, type RowNames, readRow, rowName, rowPath } from '../daemon/row-requests.js';
import type { CommandFactory } from '../options/command-definition.js';
import type { DaemonOptions, OutputOptions } from '../options/common-options.js';
import { addExamples } from '../options/examples.js';
import { changesText, rowText } from '../output/row-text.js';
import { styleOf } from '../output/style.js';
import { printableJson, singleLine } from '../output/terminal-text.js';
import type { CommandIo } from '../process/command-io.js';
import { type ConfirmOptions, confirmByName, requiredReason } from '../process/confirm.js';
import { changesBetween, withFields, withoutFields } from '../registry/row-fields.js';

interface RowOptions extends RowNames, OutputOptions, DaemonOptions, ConfirmOptions {
  readonly reason?: string;
}

/** What a row says beside its fields. */
const BESIDE = ['revision', 'in_force', 'refused', 'updated_at', 'updated_by', 'counts', 'row_in_force'];

const rowCommand = (name: string): Command =>
  new Command(name)
    .argument('<id>', 'extension')
    .option('--version <version>', 'the row of this version')
    .option('--instance <instance>', 'the row of this instance')
    .option('--reason <text>', 'why, for the audit trail; asked for on a terminal')
    .option('--json', 'print JSON');

const rowJson = (row: JsonMap): string => `${printableJson(stringifyExactJson(row, 2))}\n`;

export const createCommand: CommandFactory = (io) => ({
  command: addExamples(
    rowCommand('create').argument(
      '<field=value...>',
      'fields of the row: type=pre subject=ext.a policy.max_in_flight=50; a value is JSON, or a text',
    ),
    "extreg create redact type=pre subject=ext.redact --reason 'new'",
    "extreg create redact subject=ext.redact.v2 enabled=false --version v2 --reason 'next release'",
    "extreg create redact subject=ext.redact.i2 weight=50 --instance i2 --reason 'more load'",
  ),
  settings: 'http',
  action: async (id: string, assignments: string[], options: RowOptions) => {
    const path = rowPath(id, options);
    const row = withFields({}, assignments);
    const reason = await requiredReason(io, options);
    const daemon = await DaemonClient.of(io, options);
    const made = await putRow(daemon, `${path}${query(reason, daemon, io)}`, row, { 'if-none-match': '*' });
    if (options.json) io.stdout.write(rowJson(made));
    else if (!options.quiet) io.stdout.write(rowText(made, styleOf(io, options)));
  },
});

export const setCommand: CommandFactory = (io) => ({
  command: addExamples(
    rowCommand('set').argument(
      '<field=value...>',
      'timeout_ms=800 policy.breaker.failure_threshold=3; a value is JSON, or a text',
    ),
    "extreg set pii_guard timeout_ms=800 policy.breaker.failure_threshold=3 --reason 'slow since 03:00'",
    "extreg set pii_guard weight=10 --instance i1 --reason 'its disk is slow'",
  ),
  settings: 'http',
  action: (id: string, assignments: string[], options: RowOptions) =>
    change(io, id, options, (row) => {
      // ROWS-4: it is named, so it is decided.
      const own = assignments.some((one) => one.startsWith('enabled=')) ? { ...row, auto_disabled: false } : row;
      return withFields(own, assignments);
    }),
});

export const unsetCommand: CommandFactory = (io) => ({
  command: addExamples(
    rowCommand('unset').argument('<field...>', 'policy.breaker.failure_threshold, rollout_percent'),
    "extreg unset pii_guard policy.breaker.failure_threshold --reason 'the default will do'",
  ),
  settings: 'http',
  action: (id: string, names: string[], options: RowOptions) =>
    change(io, id, options, (row) => withoutFields(row, names)),
});

export const deleteCommand: CommandFactory = (io) => ({
  command: addExamples(
    rowCommand('delete').option('--yes', 'without asking; needed where no terminal can be asked'),
    "extreg delete redact --reason 'replaced by pii_guard'",
    "extreg delete redact --version v1 --reason 'nothing calls it' --yes",
  ),
  settings: 'http',
  action: async (id: string, options: RowOptions) => {
    const path = rowPath(id, options);
    const reason = await requiredReason(io, options);
    const daemon = await DaemonClient.of(io, options);
    const { row, etag } = await readRow(daemon, path);
    const name = singleLine(rowName(id, options));
    const question = `This deletes ${name}${alongText(row)}.`;
    await confirmByName(io, { question, name: options.version ?? options.instance ?? id }, options);
    await daemon.request(`${path}${query(reason, daemon, io)}`, { method: 'DELETE', headers: { 'if-match': etag } });
    if (options.json) io.stdout.write(rowJson(row));
    else if (!options.quiet) io.stdout.write(`deleted ${name}\n`);
  },
});

/** Shows what would be written, and writes it. */
async function change(io: CommandIo, id: string, options: RowOptions, edit: (row: JsonMap) => JsonMap): Promise<void> {
  const path = rowPath(id, options);
  const isAskedLater = io.stdin.isTTY === true;
  const given = isAskedLater ? null : await requiredReason(io, options);
  const daemon = await DaemonClient.of(io, options);
  const { row, etag } = await readRow(daemon, path);
  const edited = edit(row);
  const style = styleOf(io, options);
  const isShown = !options.json && !style.quiet;
  const changes = changesBetween(fieldsOf(row), fieldsOf(edited)).map(asDefault);
  if (changes.length === 0) {
    if (options.json) io.stdout.write(rowJson(row));
    else if (isShown) io.stdout.write(`already set; no change (revision ${fieldText(row.revision)})\n`);
    return;
  }
  if (isShown) io.stdout.write(`${changesText(changes, style)}\n`);
  const reason = given ?? (await requiredReason(io, options));
  const after = await putRow(daemon, `${path}${query(reason, daemon, io)}`, edited, { 'if-match': etag });
  if (options.json) io.stdout.write(rowJson(after));
  else if (isShown) io.stdout.write(`revision ${fieldText(after.revision)}, ${inForceText(after, id)}\n`);
}

/** A column that the row lacks gets its default; what an inner field falls back to depends on the policy. */
const asDefault = <T extends { readonly name: string; readonly to: string }>(one: T): T =>
  one.to === '-' && !one.name.includes('.') ? { ...one, to: 'default' } : one;

const fieldsOf = (row: JsonMap): JsonMap =>
  Object.fromEntries(Object.entries(row).filter(([name]) => !BESIDE.includes(name)));

const inForceText = ({ in_force: inForce }: JsonMap, id: string): string =>
  inForce === true ? 'in force' : `not in force on this daemon yet: extreg show ${singleLine(id)} says why`;

const query = (reason: string, daemon: DaemonClient, io: CommandIo): string =>
  `?${new URLSearchParams({ reason, ...daemon.by(io) })}`;

function alongText({ counts }: JsonMap): string {
  if (!isJsonMap(counts)) return '';
  return `, with ${fieldText(counts.versions)} versions and ${fieldText(counts.instances)} instances`;
}
