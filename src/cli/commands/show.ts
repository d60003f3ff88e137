// `extreg show <id>`: everything about one extension that an operator asks for first. While the database is away the rows are those that
// the daemon has in memory, which is said, and the audit trail is left out.

import { Command } from '#commander';
import { type JsonMap, stringifyExactJson } from '../../domain/exact-json.js';
import { DaemonClient } from '../daemon/daemon-client.js';
import { extensionPath, pathWith } from '../daemon/paths.js';
import { childrenOf, isFromMemory, type RowNames, rowPath } from '../daemon/row-requests.js';
import type { CommandFactory } from '../options/command-definition.js';
import {
  addWatchOption,
  type DaemonOptions,
  type OutputOptions,
  type WatchOptions,
} from '../options/common-options.js';
import { addExamples } from '../options/examples.js';
import { type AuditPage, auditText } from '../output/audit-text.js';
import { failuresTable, type RecentFailures } from '../output/failures-text.js';
import { refusedRowsText } from '../output/refused-text.js';
import { instancesText, rowText, versionsText } from '../output/row-text.js';
import { headText, nextText, type OneHealth } from '../output/state-text.js';
import { type Style, styleOf } from '../output/style.js';
import { printableJson } from '../output/terminal-text.js';
import { printed } from '../process/repeat.js';

interface ShowOptions extends RowNames, OutputOptions, WatchOptions, DaemonOptions {}

const LAST_CHANGES = 5;
const LAST_FAILURES = 3;
/** A viewer may not read them, the version before has none, and extension and version may be removed meanwhile. */
const NO_FAILURES = [
  'forbidden',
  'database_unavailable',
  'route_not_found',
  'extension_not_found',
  'version_not_found',
];
/** Of a daemon without its database, or of the version before. */
const NO_AUDIT = ['database_unavailable', 'route_not_found'];

export const showCommand: CommandFactory = (io) => ({
  command: addExamples(
    addWatchOption(
      new Command('show')
        .argument('<id>', 'extension')
        .option('--version <version>', 'the row of this version alone')
        .option('--instance <instance>', 'the row of this instance alone')
        .option('--json', 'print the row as JSON; extreg health <id> --json has what is measured'),
    ),
    'extreg show pii_guard',
    'extreg show pii_guard --version v2 --json',
  ),
  settings: 'http',
  action: async (id: string, options: ShowOptions) => {
    const path = rowPath(id, options);
    const daemon = await DaemonClient.of(io, options);
    const style = styleOf(io, options);
    const isOneRow = options.version !== undefined || options.instance !== undefined;
    return printed(io, options.watch, async () => {
      if (!options.json && !isOneRow) return { text: await wholeText(daemon, id, style) };
      const row = await daemon.exactJson(path);
      const indent = options.watch === undefined ? 2 : undefined;
      if (options.json) return { text: `${printableJson(stringifyExactJson(row, indent))}\n` };
      return { text: [rowText(row, style), ...memoryNote(row, style)].join('\n') };
    });
  },
});

async function wholeText(daemon: DaemonClient, id: string, style: Style): Promise<string> {
  const health = await daemon.json<OneHealth>(extensionPath(id, 'health'));
  const rows = await readOr(async () => ({
    row: await daemon.exactJson(rowPath(id, {})),
    versions: await childrenOf(daemon, id, 'versions'),
    instances: await childrenOf(daemon, id, 'instances'),
  }));
  const audit = await daemon.jsonUnless<AuditPage>(
    NO_AUDIT,
    pathWith('/admin/audit', { extension_id: id, limit: String(LAST_CHANGES) }),
  );
  const failed = await daemon.jsonUnless<RecentFailures>(NO_FAILURES, extensionPath(id, 'failures'));
  return [
    headText(health, Date.now(), style),
    failuresTable((failed?.failures ?? []).slice(0, LAST_FAILURES), style),
    rows === null ? 'the database is away: the row is not shown\n' : rowText(rows.row, style),
    ...(rows === null ? [] : memoryNote(rows.row, style)),
    ...(rows === null ? [] : childrenTexts(rows, style)),
    refusedRowsText(health.refused_rows ?? []),
    ...(audit === null || audit.items.length === 0 ? [] : [`${auditText(audit.items, style)}`]),
    ...(style.quiet ? [] : [nextText(health)]),
  ]
    .filter((part) => part !== '')
    .join('\n');
}

const memoryNote = (row: JsonMap, { quiet }: Style): string[] =>
  isFromMemory(row) && !quiet
    ? [
        'the database is away: rows are from the memory of the daemon, without metadata, thresholds and who made them;\nset, unset and delete need the database\n',
      ]
    : [];

async function readOr<T>(read: () => Promise<T>): Promise<T | null> {
  const { CommandError } = await import('../process/command-error.js');
  try {
    return await read();
  } catch (error) {
    if (error instanceof CommandError && error.code === 'database_unavailable') return null;
    throw error;
  }
}

const childrenTexts = (
  { versions, instances }: { readonly versions: readonly JsonMap[]; readonly instances: readonly JsonMap[] },
  style: Style,
): string[] => [
  ...(versions.length === 0 ? [] : [versionsText(versions, style)]),
  ...(instances.length === 0 ? [] : [instancesText(instances, style)]),
];
