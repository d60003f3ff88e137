// `extreg audit [id]`: who changed what, and why; with -f as it happens.

import { Command } from '#commander';
import { DaemonClient } from '../daemon/daemon-client.js';
import { requireExtension } from '../daemon/known-extension.js';
import { LiveAudit } from '../daemon/live-audit.js';
import { liveEvents } from '../daemon/live-events.js';
import { pathWith } from '../daemon/paths.js';
import { isPassing } from '../daemon/refusals.js';
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
import { pause, printed, untilReaderGone } from '../process/repeat.js';

interface AuditOptions extends OutputOptions, WatchOptions, DaemonOptions {
  readonly by?: string;
  readonly action?: string;
  readonly since?: string;
  readonly limit?: string;
  readonly follow?: true;
}

/** The id of what concerns no single extension. */
const ALL = '_';
const DEFAULT_LIMIT = 50;
/** What is printed before what follows. */
const BEFORE = 10;
/** Facts are written after their events, within a second or so: each pause after the one before. */
const LOOK_AFTER_MS = [300, 1700];

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
    // One that was deleted has a trail.
    const checkId = async (): Promise<void> => {
      if (id === undefined || id === ALL) return;
      const { items } = await daemon.json<AuditPage>(pathWith('/admin/audit', { extension_id: id, limit: '1' }));
      if (items.length === 0) await requireExtension(daemon, id);
    };
    if (options.follow) await checkId();
    if (options.follow) return follow(io, daemon, query, { ...options, id });
    return printed(io, options.watch, async () => {
      const page = await daemon.json<AuditPage>(query({ since: since(), limit }));
      if (page.items.length === 0) await checkId();
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
  const ms = durationOf('--since', given, 'a duration such as 30m or 2h, or a time such as 2026-03-02T03:00:00Z');
  return () => new Date(Date.now() - ms).toISOString();
}

interface FollowOptions extends AuditOptions {
  readonly id: string | undefined;
}

/**
 * One connection says that something happened, and one loop then reads what was written, however much happens meanwhile. Until the
 * reader is gone. The first reading has to succeed; later ones are tried again where waiting helps.
 */
async function follow(
  io: CommandIo,
  daemon: DaemonClient,
  query: (more: Readonly<Record<string, string | undefined>>) => string,
  options: FollowOptions,
): Promise<number> {
  await untilReaderGone(io, async (gone) => {
    const failed = new AbortController();
    const signal = AbortSignal.any([gone, failed.signal]);
    const trail = new LiveAudit<AuditRow>(
      (page) => daemon.json<AuditPage>(query({ ...page }), undefined, signal),
      sinceOf(options.since)(),
    );
    const print = async (limit?: number): Promise<void> => {
      for (const row of await trail.read(limit))
        io.stdout.write(options.json ? jsonLine(row) : `${singleLine(lineOf(row, options.id))}\n`);
    };
    const looks = new Looks(print, signal, (error) => {
      if (!isPassing(error)) failed.abort();
      else if (!options.quiet) io.stderr.write(`extreg: ${error.message}; reading it again\n`);
    });
    let isFirst = true;
    try {
      for await (const { event } of liveEvents(daemon, '/admin/events?topics=events,daemon', { signal })) {
        if (isFirst && event === 'hello') {
          isFirst = false;
          await print(
            options.since !== undefined && options.limit === undefined ? undefined : Number(limitOf(options)),
          );
        } else if (['hello', 'event', 'daemon'].includes(event)) looks.begin();
      }
    } finally {
      failed.abort();
      await looks.ended();
    }
  });
  return 0;
}

/** Readings after something happened: one loop, which begins anew with what happens meanwhile. */
class Looks {
  #isRunning = false;
  #isMarked = false;
  #loop: Promise<void> = Promise.resolve();

  constructor(
    private readonly read: () => Promise<void>,
    private readonly signal: AbortSignal,
    private readonly onFailure: (error: unknown) => void,
  ) {}

  begin(): void {
    this.#isMarked = true;
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#loop = this.#run();
    // ended() has it.
    this.#loop.catch(() => undefined);
  }

  /** Rejects with what no further reading would mend. */
  ended(): Promise<void> {
    return this.#loop;
  }

  async #run(): Promise<void> {
    while (this.#isMarked) {
      for (const ms of LOOK_AFTER_MS) {
        this.#isMarked = false;
        await pause(ms, this.signal);
        if (this.signal.aborted) return;
        await this.read().catch((error: unknown) => this.#failed(error));
        if (this.#isMarked) break;
      }
    }
    this.#isRunning = false;
  }

  #failed(error: unknown): void {
    if (this.signal.aborted) return;
    this.onFailure(error);
    if (!isPassing(error)) throw error;
    this.#isMarked = true;
  }
}

/** Without the id where all have the same. */
const lineOf = (row: AuditRow, id: string | undefined): string => auditLine(row, id === undefined);
