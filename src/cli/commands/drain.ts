// `extreg drain` and `undrain`: no new calls for an instance, and calls again.

import { Command } from '#commander';
import { DaemonClient } from '../daemon/daemon-client.js';
import { extensionPath } from '../daemon/paths.js';
import type { CommandFactory } from '../options/command-definition.js';
import type { DaemonOptions, OutputOptions } from '../options/common-options.js';
import { durationOf } from '../options/durations.js';
import { addExamples } from '../options/examples.js';
import { countText, json, textTable } from '../output/output.js';
import { type Style, styleOf } from '../output/style.js';
import { singleLine } from '../output/terminal-text.js';
import { durationText } from '../output/times.js';
import { CommandError, EXIT, wrongUsage } from '../process/command-error.js';
import type { CommandIo } from '../process/command-io.js';
import { type ConfirmOptions, confirm, requiredReason } from '../process/confirm.js';
import { pause, untilReaderGone } from '../process/repeat.js';

interface DrainOptions extends OutputOptions, DaemonOptions, ConfirmOptions {
  readonly reason?: string;
  readonly wait?: string;
  readonly weight?: string;
}

interface Weight {
  readonly weight: number;
  readonly was: number;
  readonly in_flight?: number;
  readonly revision: number;
  readonly in_force?: boolean;
}

type Drained = Weight & { readonly in_flight: number };

const ASK_EVERY_MS = 1000;
const CLEAR_LINE = '\r\u001b[K';

const instancePath = (id: string, instance: string): string =>
  extensionPath(id, `instances/${encodeURIComponent(instance)}`);

export const drainCommand: CommandFactory = (io) => ({
  command: addExamples(
    new Command('drain')
      .argument('<id>', 'extension')
      .argument('<instance>', 'one of its instances')
      .option('--reason <text>', 'why, for the audit trail; asked for on a terminal')
      .option('--wait <duration>', 'until none of its calls is in flight; ends with 75 if that takes longer')
      .option('--yes', 'without asking')
      .option('--json', 'print JSON'),
    "extreg drain pii_guard i2 --reason 'kernel update' --wait 30s",
  ),
  settings: 'http',
  action: async (id: string, instance: string, options: DrainOptions) => {
    const waitMs = options.wait === undefined ? null : durationOf('--wait', options.wait);
    const reason = await requiredReason(io, options);
    const daemon = await DaemonClient.of(io, options);
    await confirm(io, `This gives instance ${singleLine(`${instance} of ${id}`)} no new calls.`, options);
    const answer = await daemon.json<Drained>(`${instancePath(id, instance)}/drain`, { reason, ...daemon.by(io) });
    const read = () => inFlight(daemon, id, instance);
    const left = waitMs === null ? null : await untilIdle(io, answer.in_flight, read, waitMs, options);
    const end = { ...answer, in_flight: left ?? answer.in_flight };
    if (options.json) io.stdout.write(json(end));
    else if (!options.quiet) io.stdout.write(weightText(instance, end, styleOf(io, options)));
    if (left === null || left === 0) return 0;
    const still = `instance ${instance} still has ${countText(left, 'call')} in flight after ${durationText(waitMs ?? 0)}`;
    throw new CommandError(EXIT.waitedInVain, still, {
      next: `repeat it to wait on, or extreg undrain ${id} ${instance}`,
    });
  },
});

interface Instance {
  readonly id: string;
  readonly weight: number;
  readonly in_flight: number;
}

/** 0 where it is deleted. Rejects if it gets calls again: it will not be idle. */
async function inFlight(daemon: DaemonClient, id: string, instance: string): Promise<number> {
  const { items } = await daemon.json<{ readonly items: readonly Instance[] }>(extensionPath(id, 'instances'));
  const found = items.find((one) => one.id === instance);
  if (found === undefined || found.weight === 0) return found?.in_flight ?? 0;
  throw new CommandError(EXIT.answeredWithError, `instance ${instance} has weight ${found.weight} again`, {
    next: `extreg audit ${id} says who undrained it`,
  });
}

export const undrainCommand: CommandFactory = (io) => ({
  command: addExamples(
    new Command('undrain')
      .argument('<id>', 'extension')
      .argument('<instance>', 'one of its instances')
      .option('--weight <weight>', '1 to 100 (default: what it had before it was drained)')
      .option('--reason <text>', 'why, for the audit trail; optional')
      .option('--json', 'print JSON'),
    'extreg undrain pii_guard i2',
    'extreg undrain pii_guard i2 --weight 10',
  ),
  settings: 'http',
  action: async (id: string, instance: string, options: DrainOptions) => {
    const { weight, reason } = options;
    if (weight !== undefined && !(/^\d{1,3}$/.test(weight) && Number(weight) >= 1 && Number(weight) <= 100))
      throw wrongUsage(`--weight: expected 1 to 100, got '${weight}'`);
    const daemon = await DaemonClient.of(io, options);
    const answer = await daemon.json<Weight>(`${instancePath(id, instance)}/undrain`, {
      ...(weight === undefined ? {} : { weight: Number(weight) }),
      ...(reason === undefined ? {} : { reason }),
      ...daemon.by(io),
    });
    if (options.json) io.stdout.write(json(answer));
    else if (!options.quiet) io.stdout.write(weightText(instance, answer, styleOf(io, options)));
  },
});

function weightText(instance: string, answer: Weight, style: Style): string {
  const { weight, was, in_flight: inFlight, revision, in_force: inForce = true } = answer;
  return textTable(
    ['INSTANCE', 'WEIGHT', 'BEFORE', 'IN FLIGHT', 'REVISION', 'IN FORCE'],
    [
      [
        instance,
        String(weight),
        String(was),
        inFlight === undefined ? '-' : String(inFlight),
        String(revision),
        inForce ? 'yes' : 'not yet',
      ],
    ],
    style,
  );
}

/** How many calls are in flight at the end; a line of progress on a terminal. `read`: a drain of what is drained writes nothing. */
async function untilIdle(
  io: CommandIo,
  first: number,
  read: () => Promise<number>,
  waitMs: number,
  { quiet }: DrainOptions,
): Promise<number> {
  const isShown = io.stderr.isTTY === true && !quiet;
  const begin = performance.now();
  let left = first;
  await untilReaderGone(io, async (signal) => {
    while (!signal.aborted) {
      const overMs = performance.now() - begin;
      if (isShown) io.stderr.write(`${CLEAR_LINE}${countText(left, 'call')} in flight, ${durationText(overMs)}`);
      if (left === 0 || overMs >= waitMs) return;
      await pause(Math.min(ASK_EVERY_MS, waitMs - overMs), signal);
      if (!signal.aborted) left = await read();
    }
  });
  if (isShown) io.stderr.write(CLEAR_LINE);
  return left;
}
