// `extreg __complete <words…>`: what the last word may become, one a line. Asked by the scripts of completion.ts, at each tab.
//
// COMPLETE-1. It prints nothing on standard error and ends with 0 within about 500 ms, whatever the daemon does.

import type { Command, Option } from '#commander';
import { BOARD_STATES } from '../../domain/board-codes.js';
import type { CommandFactory } from '../options/command-definition.js';
import { addDaemonOptions, addOutputOptions, type DaemonOptions } from '../options/common-options.js';
import type { CommandIo } from '../process/command-io.js';

const ASK_MS = 500;
const MAX_IDS = 200;
const LISTS: Readonly<Record<string, readonly string[]>> = {
  '--state': BOARD_STATES,
  '--type': ['pre', 'validator', 'post', 'provider'],
};

type Table = ReadonlyMap<string, { readonly load: () => Promise<CommandFactory> }>;

export async function complete(io: CommandIo, words: readonly string[], commands: Table): Promise<number> {
  const current = words.at(-1) ?? '';
  const candidates = await candidatesFor(io, words, commands);
  const fitting = candidates.filter((one) => one.startsWith(current)).sort();
  io.stdout.write(fitting.map((one) => `${one}\n`).join(''));
  return 0;
}

async function candidatesFor(io: CommandIo, words: readonly string[], commands: Table): Promise<readonly string[]> {
  const [name = '', ...rest] = words;
  if (rest.length === 0) return [...commands.keys(), 'help'];
  if (name === 'help') return [...commands.keys()];
  const load = commands.get(name)?.load;
  if (load === undefined) return [];
  const { command, settings } = (await load())(io);
  // As main.ts does.
  if (settings !== 'none' && name !== 'serve') addOutputOptions(command);
  if (settings === 'http') addDaemonOptions(command);
  const given = rest.slice(0, -1);
  const current = rest.at(-1) ?? '';
  const before = command.options.find((option) => isNamed(option, given.at(-1)) && takesWord(option));
  if (before !== undefined) return valuesOf(io, command, before, given);
  if (current.startsWith('-')) return optionsOf(command, settings);
  const at = positionOf(command, given);
  if (command.commands.length > 0 && at === 0) return command.commands.map((one) => one.name());
  const argument = command.registeredArguments[at];
  if (argument?.argChoices !== undefined) return argument.argChoices;
  const extension = given.find((word) => !word.startsWith('-')) ?? '';
  const isHttp = settings === 'http' || settings === 'nats';
  if (argument?.name() === 'id' && isHttp)
    return idsOf(io, `/admin/extensions?limit=${MAX_IDS}&q=${encodeURIComponent(current)}`, 'id');
  if (argument?.name() === 'version')
    return idsOf(io, `/admin/extensions/${encodeURIComponent(extension)}/versions`, 'version');
  if (argument?.name() === 'instance')
    return idsOf(io, `/admin/extensions/${encodeURIComponent(extension)}/instances`, 'id');
  return [];
}

const isNamed = ({ long, short }: Option, word: string | undefined): boolean =>
  word !== undefined && (word === long || word === short);
const takesWord = ({ required, optional, long }: Option): boolean => (required || optional) && long !== '--watch';

function optionsOf(command: Command, settings: string): string[] {
  const own = command.options.filter(({ hidden }) => !hidden).flatMap(({ long }) => long ?? []);
  return [...own, '--help', ...(settings === 'http' ? ['--data-dir'] : [])];
}

async function valuesOf(
  io: CommandIo,
  command: Command,
  { long, argChoices }: Option,
  given: readonly string[],
): Promise<readonly string[]> {
  if (argChoices !== undefined) return argChoices;
  const [extension = ''] = given;
  const of = `/admin/extensions/${encodeURIComponent(extension)}`;
  if (long === '--version' && command.registeredArguments[0]?.name() === 'id')
    return idsOf(io, `${of}/versions`, 'version');
  if (long === '--instance') return idsOf(io, `${of}/instances`, 'id');
  return LISTS[long ?? ''] ?? [];
}

/** How many arguments come before the word that is completed. */
function positionOf(command: Command, given: readonly string[]): number {
  let count = 0;
  for (const [i, word] of given.entries()) {
    if (word.startsWith('-')) continue;
    const before = command.options.find((option) => isNamed(option, given[i - 1]));
    if (before === undefined || !takesWord(before)) count++;
  }
  return Math.min(
    count,
    Math.max(0, command.registeredArguments.length - (command.registeredArguments.at(-1)?.variadic ? 1 : 0)),
  );
}

/** COMPLETE-1: none if the daemon does not answer in time. */
async function idsOf(io: CommandIo, path: string, member: string): Promise<readonly string[]> {
  try {
    const { DaemonClient } = await import('../daemon/daemon-client.js');
    const daemon = await DaemonClient.of(io, {} as DaemonOptions);
    const { text } = await daemon.request(path, { timeoutMs: ASK_MS });
    const { items } = JSON.parse(text) as { readonly items: readonly Readonly<Record<string, unknown>>[] };
    return items.flatMap((item) => {
      const value = item[member];
      // A word of the shell on one line.
      return typeof value === 'string' && /^[\w.@:/+-]+$/.test(value) ? [value] : [];
    });
  } catch {
    return [];
  }
}
