// `extreg events`: events of the registry; those that the daemon has, or with -f each as it happens.

import { Command } from '#commander';
import { DaemonClient } from '../daemon/daemon-client.js';
import { requireExtension } from '../daemon/known-extension.js';
import { liveEvents } from '../daemon/live-events.js';
import { pathWith } from '../daemon/paths.js';
import type { CommandFactory } from '../options/command-definition.js';
import type { DaemonOptions, OutputOptions } from '../options/common-options.js';
import { addExamples } from '../options/examples.js';
import { type EventFacts, eventLine } from '../output/event-text.js';
import { json, jsonLine } from '../output/output.js';
import { wrongUsage } from '../process/command-error.js';
import type { CommandIo } from '../process/command-io.js';
import { untilReaderGone } from '../process/repeat.js';

interface EventsOptions extends OutputOptions, DaemonOptions {
  readonly follow?: true;
  readonly kinds?: string;
  readonly last?: string;
}

const DEFAULT_LAST = 20;
/** The daemon sends what it has right after `hello`, without a pause. */
const QUIET_MS = 700;

export const eventsCommand: CommandFactory = (io) => ({
  command: addExamples(
    new Command('events')
      .argument('[id]', 'of this extension (default: of all)')
      .option('-f, --follow', 'print each as it happens, until Ctrl-C; what a lost connection missed comes after it')
      .option('--kinds <kinds>', 'only these, such as circuit_opened,auto_disabled')
      .option('--last <n>', `at most so many of those that happened (default: ${DEFAULT_LAST}; with -f: 0)`)
      .option('--json', 'print JSON; with -f a line each'),
    'extreg events',
    'extreg events -f --kinds circuit_opened,auto_disabled',
    'extreg events pii_guard -f --json',
  ),
  settings: 'http',
  action: async (id: string | undefined, options: EventsOptions) => {
    const last = lastOf(options);
    const daemon = await DaemonClient.of(io, options);
    const path = pathWith('/admin/events', { topics: 'events', kinds: options.kinds, extension_id: id });
    if (options.follow && id !== undefined) await requireExtension(daemon, id);
    if (options.follow) return follow(io, daemon, path, last, options);
    const { events, missed } = (await untilReaderGone(io, (signal) => happened(daemon, path, signal))) ?? {
      events: [],
      missed: null,
    };
    if (events.length === 0 && id !== undefined) await requireExtension(daemon, id);
    const shown = last === 0 ? [] : events.slice(-last);
    if (options.json) io.stdout.write(json({ events: shown }));
    else {
      for (const event of shown) io.stdout.write(`${eventLine(event)}\n`);
      if (!options.quiet) io.stdout.write(noteOf(shown.length, events.length, missed));
    }
    return 0;
  },
});

function lastOf({ last, follow: isFollowed }: EventsOptions): number {
  if (last === undefined) return isFollowed ? 0 : DEFAULT_LAST;
  if (!/^\d{1,5}$/.test(last)) throw wrongUsage(`--last: expected 0 to 99999, got '${last}'`);
  return Number(last);
}

function noteOf(shown: number, known: number, missed: number | null): string {
  if (known === 0) return 'no events since the daemon started; extreg audit has what was before\n';
  const more = known > shown ? `${known - shown} before these: --last; ` : '';
  return `${more}${missed === null ? 'all since the daemon started' : `${missed} are gone`}; extreg audit has what was before\n`;
}

interface Happened {
  readonly events: readonly EventFacts[];
  /** How many the daemon does not keep any more; null: none. */
  readonly missed: number | null;
}

/** All that the daemon has kept: it is asked for what came after the first, by the name of its process. */
async function happened(daemon: DaemonClient, path: string, signal: AbortSignal): Promise<Happened> {
  const own = new AbortController();
  const either = AbortSignal.any([signal, own.signal]);
  const boot = await bootOf(daemon, path, signal);
  let quiet: NodeJS.Timeout | undefined;
  const events: EventFacts[] = [];
  let missed: number | null = null;
  try {
    for await (const one of liveEvents(daemon, path, { signal: either, lastEventId: `${boot}-0` })) {
      if (one.event === 'hello') quiet ??= setTimeout(() => own.abort(), QUIET_MS);
      quiet?.refresh();
      if (one.event === 'event') events.push(JSON.parse(one.data) as EventFacts);
      if (one.event === 'gap') missed = (JSON.parse(one.data) as { readonly missed: number | null }).missed;
    }
  } finally {
    clearTimeout(quiet);
  }
  return { events, missed };
}

async function bootOf(daemon: DaemonClient, path: string, signal: AbortSignal): Promise<string> {
  for await (const { event, data } of liveEvents(daemon, path, { signal }))
    if (event === 'hello') return (JSON.parse(data) as { readonly boot: string }).boot;
  return '';
}

async function follow(
  io: CommandIo,
  daemon: DaemonClient,
  path: string,
  last: number,
  options: EventsOptions,
): Promise<number> {
  const print = (event: EventFacts): void =>
    void io.stdout.write(options.json ? jsonLine(event) : `${eventLine(event)}\n`);
  const note = (text: string): void => void (options.quiet || io.stderr.write(`extreg: ${text}\n`));
  await untilReaderGone(io, async (signal) => {
    if (last > 0) for (const event of (await happened(daemon, path, signal)).events.slice(-last)) print(event);
    for await (const { event, data } of liveEvents(daemon, path, { signal })) {
      if (event === 'event') print(JSON.parse(data) as EventFacts);
      else if (event === 'lost') note(`${data}; connecting again`);
      else if (event === 'gap') note('events were missed: extreg audit --since 1h has them');
    }
  });
  return 0;
}
