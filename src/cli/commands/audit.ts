// `extreg audit [id]`: who changed what, and why; with -f as it happens.

import { setTimeout as wait } from 'node:timers/promises';
import { Command } from '#commander';
import { DaemonClient } from '../daemon/daemon-client.js';
import { liveEvents } from '../daemon/live-events.js';
import { pathWith } from '../daemon/paths.js';
import type { CommandFactory } from '../options/command-definition.js';
import {
  addWatchOption,
  type DaemonOptions,
  type OutputOptions,
  type WatchOptions,
} from '../options/common-options.js';
import { durationOf } from '../options/durations.js';
import { addExamples } from '../options/examples.js';
import { type AuditPage, type AuditRow, auditLine, auditText } from '../output/audit-text.js';
import { json, jsonLine } from '../output/output.js';
import { styleOf } from '../output/style.js';
import { singleLine } from '../output/terminal-text.js';
import { wrongUsage } from '../process/command-error.js';
import type { CommandIo } from '../process/command-io.js';
import { printed, untilReaderGone } from '../process/repeat.js';

interface AuditOptions extends OutputOptions, WatchOptions, DaemonOptions {
  readonly by?: string;
  readonly action?: string;
  readonly since?: string;
  readonly limit?: string;
  readonly follow?: true;
}

const DEFAULT_LIMIT = 50;
/** What is printed before what follows. */
const BEFORE = 10;
const PAGE = 200;
/** Facts are written after their events, within a second or so. */
const LOOK_AFTER_MS = [300, 2000];

export const auditCommand: CommandFactory = (io) => ({
  command: addExamples(
    addWatchOption(
      new Command('audit')
        .argument('[id]', 'of this extension (default: of all)')
        .option('--by <who>', 'by this one, as the column WHO has it')
        .option('--action <action>', 'only this, as the column WHAT has it')
        .option('--since <time>', 'since so long, such as 2h, or a time such as 2026-03-02T03:00:00Z')
        .option('--limit <n>', `at most so many, 1 to 1000 (default: ${DEFAULT_LIMIT})`)
        .option('-f, --follow', 'print the last ones, and then each as it is written')
        .option('--json', 'print JSON; with -f a line each'),
    ),
    'extreg audit pii_guard --since 1h',
    'extreg audit --by token:ada --limit 200',
    'extreg audit -f',
  ),
  settings: 'http',
  action: async (id: string | undefined, options: AuditOptions) => {
    const limit = limitOf(options);
    const since = sinceOf(options.since);
    const daemon = await DaemonClient.of(io, options);
    const query = (more: Readonly<Record<string, string | undefined>>): string =>
      pathWith('/admin/audit', { extension_id: id, by: options.by, action: options.action, ...more });
    if (options.follow) return follow(io, daemon, query, { ...options, id });
    return printed(io, options.watch, async () => {
      const page = await daemon.json<AuditPage>(query({ since: since(), limit }));
      if (options.json) return { text: (options.watch === undefined ? json : jsonLine)(page) };
      const style = styleOf(io, options);
      if (page.items.length === 0) return { text: style.quiet ? '' : 'nothing was changed in that time\n' };
      const more = page.next === null || style.quiet ? '' : `older ones are not shown: --limit, --since\n`;
      return { text: `${auditText(page.items, style, id === undefined)}${more}` };
    });
  },
});

function limitOf({ limit, follow, watch }: AuditOptions): string {
  if (follow && watch !== undefined) throw wrongUsage('--watch and --follow: expected one of them, got both');
  if (limit === undefined) return String(follow ? BEFORE : DEFAULT_LIMIT);
  if (!/^\d{1,4}$/.test(limit) || Number(limit) < 1 || Number(limit) > 1000)
    throw wrongUsage(`--limit: expected 1 to 1000, got '${limit}'`);
  return limit;
}

/** As ISO 8601, when it is asked for. */
function sinceOf(given: string | undefined): () => string | undefined {
  if (given === undefined) return () => undefined;
  if (/^\d{4}-/.test(given)) {
    const at = new Date(given);
    if (Number.isNaN(at.getTime()))
      throw wrongUsage(`--since: expected a time such as 2026-03-02T03:00:00Z, got '${given}'`);
    return () => at.toISOString();
  }
  const ms = durationOf('--since', given);
  return () => new Date(Date.now() - ms).toISOString();
}

interface FollowOptions extends AuditOptions {
  readonly id: string | undefined;
}

/** One connection says that something happened; what was written is then read. Until the reader is gone. */
async function follow(
  io: CommandIo,
  daemon: DaemonClient,
  query: (more: Readonly<Record<string, string | undefined>>) => string,
  options: FollowOptions,
): Promise<number> {
  const seen = new Set<string>();
  let last: string | undefined;
  const read = async (first: boolean): Promise<void> => {
    const since = last ?? sinceOf(options.since)();
    const limit = first && options.since === undefined ? limitOf(options) : String(PAGE);
    const { items } = await daemon.json<AuditPage>(query({ since, limit }));
    for (const row of items.toReversed()) {
      const key = JSON.stringify(row);
      if (seen.has(key)) continue;
      seen.add(key);
      if (last === undefined || row.changed_at > last) last = row.changed_at;
      io.stdout.write(options.json ? jsonLine(row) : `${singleLine(lineOf(row, options.id))}\n`);
    }
  };
  await untilReaderGone(io, async (signal) => {
    for await (const { event } of liveEvents(daemon, '/admin/events?topics=events,daemon', { signal })) {
      if (event === 'hello') await read(last === undefined);
      else if (event === 'event' || event === 'daemon')
        for (const ms of LOOK_AFTER_MS) {
          await wait(ms, undefined, { signal }).catch(() => undefined);
          if (!signal.aborted) await read(false);
        }
    }
  });
  return 0;
}

/** Without the id where all have the same. */
const lineOf = (row: AuditRow, id: string | undefined): string => auditLine(row, id === undefined);
