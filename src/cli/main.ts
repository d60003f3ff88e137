// The command line: finds the command, runs it, and turns its end into an exit code.
//
// MAIN-1. 0 ok, 1 answered with an error, 64 wrong usage, 65 a file or schema that cannot be taken, 69 unreachable, 70 a bug,
//     75 waited in vain, 78 configuration.
// MAIN-2. An expected failure prints a sentence on standard error, and what to do next; only a bug prints a stack.
// MAIN-3. A call uses nothing of the process but what it is given, shares no state with other calls, and when it ends it leaves
//     no listener, connection, thread or timer behind. So calls may run side by side in one process.
// MAIN-4. A command loads its own libraries only: the overview of all commands loads none of them.

import { readFileSync } from 'node:fs';
import { Command, CommanderError, Help } from '#commander';
import { ConfigError } from '../config/error.js';
import { stackOf } from '../telemetry/error-text.js';
import { COMMANDS } from './command-table.js';
import { type CommandDefinition, type CommandFactory, configFileOption } from './options/command-definition.js';
import { addDaemonOptions, addOutputOptions, withWatchSeconds } from './options/common-options.js';
import { printable } from './output/terminal-text.js';
import { CommandError, EXIT } from './process/command-error.js';
import type { CommandIo } from './process/command-io.js';
import { tooManyOpenFiles } from './process/open-files.js';

const BUG = 70;

const DEFAULT_HELP_WIDTH = 80;
const HELP_INDENT = ' '.repeat(6);

const VERSION_FLAGS = ['-V', '--version'];

const packageFile = new URL('../../../package.json', import.meta.url);
const { version, description } = JSON.parse(readFileSync(packageFile, 'utf8')) as Record<string, string>;

/** Runs one command (`argv`: without the names of the programs) and resolves with its exit code. Never rejects. */
export async function main(argv: readonly string[], io: CommandIo): Promise<number> {
  const [first = '', ...rest] = argv;
  if (first === '__complete') {
    const { complete } = await import('./commands/complete.js');
    return complete(io, rest, COMMANDS).catch(() => 0);
  }
  const words = wordsFor(argv);
  let exitCode = 0;
  try {
    const factories = await loadFor(words[0] ?? '');
    const definitions = factories.map((factory) => factory(io));
    const program = programOf(definitions, io, (code) => {
      exitCode = code;
    });
    await program.parseAsync(words, { from: 'user' });
    return exitCode;
  } catch (error) {
    return failed(error, io, words[0] ?? '');
  }
}

/** What is parsed: `help <command>` as that command's `--help`, so that it is loaded with its settings. */
function wordsFor(argv: readonly string[]): readonly string[] {
  const [first = '', second = ''] = argv;
  const named = first === 'help' && second !== '' && !second.startsWith('-') ? [second, '--help'] : argv;
  const [word = ''] = named;
  // A command that there is none of is wrong usage, whatever is said after it.
  if (!COMMANDS.has(word) && !isOverview(word)) return [word];
  return withWatchSeconds(named);
}

const isOverview = (word: string): boolean => word === '' || word === 'help' || word.startsWith('-');

/** MAIN-4: the command that is named; no file of a command for the overview, the version, and a name that there is none of. */
async function loadFor(word: string): Promise<readonly CommandFactory[]> {
  const chosen = COMMANDS.get(word);
  if (chosen !== undefined) return [await chosen.load()];
  if (VERSION_FLAGS.includes(word)) return [];
  return [...COMMANDS].map(([name, { args }]) => () => ({
    command: args === '' ? new Command(name) : new Command(name).arguments(args),
    settings: 'all',
    action: async () => undefined,
  }));
}

function programOf(definitions: readonly CommandDefinition[], io: CommandIo, onEnd: (code: number) => void): Command {
  const program = new Command('extreg')
    .description(description ?? '')
    .version(version ?? '')
    .helpCommand(true)
    // So that --version after a verb is the verb's.
    .enablePositionalOptions()
    .addHelpText(
      'after',
      `
Something is wrong:  extreg ls --wrong, then extreg show <id>: it says why, and
what may be done.  extreg doctor checks what is around a daemon.
extreg <command> --help has examples.

Settings may be given as flags, as environment variables
(EXTENSION_REGISTRY_HTTP_PORT for --http-port) or in extreg.config.yaml;
docs/configuration.md lists them all.

Exit codes: 0 ok, 1 answered with an error, 64 wrong usage, 65 a file or schema
that cannot be taken, 69 unreachable, 70 a fault of its own, 75 waited in vain,
78 configuration.`,
    );
  for (const { command, action, settings } of definitions) {
    const { group = '', summary = '' } = COMMANDS.get(command.name()) ?? {};
    command.description(summary).helpGroup(group);
    if (settings === 'http') addDaemonOptions(command);
    if (settings !== 'none') command.addOption(configFileOption());
    if (settings !== 'none' && command.name() !== 'serve') addOutputOptions(command);
    command.action(async (...args: unknown[]) => onEnd((await action(...(args as never[]))) ?? 0));
    program.addCommand(command);
  }
  program.hook('preSubcommand', async (_, command) => {
    const settings = definitions.find((definition) => definition.command === command)?.settings;
    const { addSettings, SETTINGS_OF_GROUP } = await import('./options/config-options.js');
    if (settings !== undefined) addSettings(command, SETTINGS_OF_GROUP[settings]);
    // These may open the embedded database themselves.
    if (settings === 'database' || settings === 'registry') io.ownProcess?.dropWasmOptimizer();
  });
  for (const command of [program, ...program.commands])
    command
      .configureHelp({ subcommandTerm, formatItem })
      .exitOverride()
      .showHelpAfterError('(--help tells more)')
      .configureOutput({
        writeOut: (text) => io.stdout.write(text),
        writeErr: (text) => io.stderr.write(text),
        getOutHelpWidth: () => (io.stdout.isTTY ? io.stdout.columns : undefined) as number,
        getErrHelpWidth: () => (io.stderr.isTTY ? io.stderr.columns : undefined) as number,
        getOutHasColors: () => false,
        getErrHasColors: () => false,
      });
  return program;
}

const subcommandTerm = (command: Command): string => `${command.name()} ${argumentsText(command)}`.trimEnd();

/** Beside terms that leave no room for a description, as those of settings do, Commander breaks no lines: so it stands below. */
function formatItem(this: Help, term: string, termWidth: number, description: string, helper: Help): string {
  const width = helper.helpWidth ?? DEFAULT_HELP_WIDTH;
  if (description === '' || width - termWidth - 4 >= helper.minWidthToWrap)
    return Help.prototype.formatItem.call(this, term, termWidth, description, helper);
  const text = helper.boxWrap(description, width - HELP_INDENT.length);
  return `  ${term}\n${text.replace(/^/gm, HELP_INDENT)}`;
}

const argumentsText = (command: Command): string =>
  command.registeredArguments
    .map((one) => `${one.required ? '<' : '['}${one.name()}${one.variadic ? '...' : ''}${one.required ? '>' : ']'}`)
    .join(' ');

/** Prints the failure of the command `name` on standard error and returns its exit code. MAIN-2. */
function failed(error: unknown, { stderr }: CommandIo, name: string): number {
  // commander has printed it.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT.usage;
  if (error instanceof ConfigError) {
    stderr.write(printable(`extreg: ${error.message}\n`));
    return EXIT.configuration;
  }
  if (error instanceof CommandError) {
    const next = error.next ?? (error.exitCode === EXIT.usage ? `extreg ${name} --help has examples` : '');
    // Words of the registry may be in it.
    stderr.write(printable(`extreg: ${error.message}\n${next === '' ? '' : `next: ${next}\n`}`));
    return error.exitCode;
  }
  const tooMany = tooManyOpenFiles(error);
  if (tooMany !== null) {
    stderr.write(`extreg: ${tooMany}\n`);
    return EXIT.configuration;
  }
  stderr.write(`extreg: ${stackOf(error)}\n`);
  return BUG;
}
