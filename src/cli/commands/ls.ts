// `extreg ls`: the board. With --wrong what is not healthy, by impact, with why and until when.

import { Command } from '#commander';
import { BOARD_STATES } from '../../domain/board-codes.js';
import { DaemonClient } from '../daemon/daemon-client.js';
import { extensionPath, pathWith } from '../daemon/paths.js';
import type { CommandFactory } from '../options/command-definition.js';
import {
  addWatchOption,
  type DaemonOptions,
  type OutputOptions,
  type WatchOptions,
} from '../options/common-options.js';
import { addExamples } from '../options/examples.js';
import type { AuditPage } from '../output/audit-text.js';
import { type Beside, boardSummary, boardText, type ListItem } from '../output/board-text.js';
import { json, jsonLine } from '../output/output.js';
import type { OneHealth } from '../output/state-text.js';
import { styleOf } from '../output/style.js';
import { CommandError, wrongUsage } from '../process/command-error.js';
import { printed } from '../process/repeat.js';

interface LsOptions extends OutputOptions, WatchOptions, DaemonOptions {
  readonly state?: string;
  readonly type?: string;
  readonly sort?: string;
  readonly wrong?: true;
  readonly limit?: string;
}

interface Page {
  readonly items: readonly ListItem[];
  readonly next: string | null;
  readonly total: number;
  readonly revision: number | null;
}

const PAGE = 1000;
/** Of as many the reason is asked for, one request each. */
const WITH_REASONS = 30;
const AT_A_TIME = 8;

export const lsCommand: CommandFactory = (io) => ({
  command: addExamples(
    addWatchOption(
      new Command('ls')
        .argument('[part]', 'only extensions whose id contains this')
        .option('--wrong', 'only what is not healthy, what harms callers most first, with the reason')
        .option('--state <states>', `of these states: ${BOARD_STATES.join(', ')}`)
        .option('--type <types>', 'of these types: pre, validator, post, provider')
        .option('--sort <columns>', 'such as -refused_per_second,id; - before a name: descending (default: id)')
        .option('--limit <n>', 'at most so many (default: all)')
        .option('--json', 'print JSON'),
    ),
    'extreg ls --wrong',
    'extreg ls --state open,half_open --watch',
    'extreg ls --sort -p95_latency_ms --limit 10',
    'extreg ls -q --wrong                           only the ids, one a line',
  ),
  settings: 'http',
  action: async (part: string | undefined, options: LsOptions) => {
    const limit = limitOf(options.limit);
    const daemon = await DaemonClient.of(io, options);
    return printed(io, options.watch, async () => {
      const list = await readList(daemon, part, limit, options);
      if (options.json) return { text: (options.watch === undefined ? json : jsonLine)(list) };
      const style = styleOf(io, options);
      const beside = options.wrong && !style.quiet ? await readBeside(daemon, list.items) : new Map<string, Beside>();
      const table = boardText(list.items, beside, style, Date.now());
      if (style.quiet) return { text: table };
      const all = options.wrong ? await totalOf(daemon) : null;
      const summary = boardSummary(list.items.length, list.total, all, options.wrong === true, list.items[0]?.id);
      return { text: list.items.length === 0 ? summary : `${table}${summary}` };
    });
  },
});

function limitOf(given: string | undefined): number {
  if (given === undefined) return Number.POSITIVE_INFINITY;
  if (!/^[1-9]\d{0,6}$/.test(given)) throw wrongUsage(`--limit: expected 1 or more, got '${given}'`);
  return Number(given);
}

/** Page by page, as the daemon gives them. */
async function readList(
  daemon: DaemonClient,
  part: string | undefined,
  limit: number,
  options: LsOptions,
): Promise<Page> {
  const items: ListItem[] = [];
  let after: string | undefined;
  for (;;) {
    const page = await daemon.json<Page>(
      pathWith('/admin/extensions', {
        q: part,
        state: options.state?.replaceAll('-', '_'),
        type: options.type,
        sort: options.sort,
        wrong: options.wrong ? 'true' : undefined,
        limit: String(Math.min(PAGE, limit - items.length)),
        after,
      }),
    );
    items.push(...page.items);
    after = page.next ?? undefined;
    if (after === undefined || items.length >= limit) return { ...page, items };
  }
}

const totalOf = async (daemon: DaemonClient): Promise<number> =>
  (await daemon.json<Page>(pathWith('/admin/extensions', { limit: '1' }))).total;

async function readBeside(daemon: DaemonClient, items: readonly ListItem[]): Promise<ReadonlyMap<string, Beside>> {
  const beside = new Map<string, Beside>();
  const first = items.filter(({ health }) => health !== null).slice(0, WITH_REASONS);
  for (let at = 0; at < first.length; at += AT_A_TIME)
    await Promise.all(
      first.slice(at, at + AT_A_TIME).map(async (item) => beside.set(item.id, await besideOf(daemon, item))),
    );
  return beside;
}

/** By an operator's decision these are what they are. */
const ACTIONS: Readonly<Record<string, string>> = {
  isolated: 'isolate',
  forced_closed: 'force_closed',
  disabled: 'disable',
};

async function besideOf(daemon: DaemonClient, { id, health, auto_disabled }: ListItem): Promise<Beside> {
  const action = auto_disabled ? undefined : ACTIONS[health?.state ?? ''];
  if (action === undefined)
    return { health: await orNull(daemon.json<OneHealth>(extensionPath(id, 'health'))), decision: null };
  const page = await orNull(daemon.json<AuditPage>(pathWith('/admin/audit', { extension_id: id, action, limit: '1' })));
  const [row] = page?.items ?? [];
  return { health: null, decision: row === undefined ? null : { by: row.changed_by, reason: row.reason } };
}

/** It may be gone meanwhile, or its database away: then its line says less. */
const orNull = <T>(read: Promise<T>): Promise<T | null> =>
  read.catch((error: unknown) => {
    if (error instanceof CommandError) return null;
    throw error;
  });
