// The command line: finds the command, runs it, and turns its end into an exit code.
//
// MAIN-1. 0 ok, 1 answered with an error, 64 wrong usage, 65 a file or schema that cannot be taken, 69 unreachable, 70 a bug,
//     78 configuration.
// MAIN-2. An expected failure prints a sentence on standard error; only a bug prints a stack.
// MAIN-3. A call uses nothing of the process but what it is given, shares no state with other calls, and when it ends it leaves
//     no listener, connection, thread or timer behind. So calls may run side by side in one process.
// MAIN-4. A command loads its own libraries only: the overview of all commands loads none of them.
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from '#commander';
import { ConfigError } from '../config/error.js';
import { VERBS } from '../domain/registry/verbs.js';
import { stackOf } from '../telemetry/error-text.js';
import { type CommandDefinition, type CommandFactory, configFileOption } from './options/command-definition.js';
import { CommandError, EXIT } from './process/command-error.js';
import type { CommandIo } from './process/command-io.js';
import { tooManyOpenFiles } from './process/open-files.js';

const BUG = 70;

/** In the order of the overview. */
const COMMANDS: ReadonlyMap<string, () => Promise<CommandFactory>> = new Map([
  ['serve', async () => (await import('./commands/serve.js')).serveCommand],
  ['migrate', async () => (await import('./commands/migrate.js')).migrateCommand],
  ['check-config', async () => (await import('./commands/check-config.js')).checkConfigCommand],
  ['health', async () => (await import('./commands/health.js')).healthCommand],
  ...VERBS.map((verb) => [verb, async () => (await import('./commands/verbs.js')).verbCommand(verb)] as const),
  ['show', async () => (await import('./commands/rows.js')).showCommand],
  ['create', async () => (await import('./commands/rows.js')).createCommand],
  ['set', async () => (await import('./commands/rows.js')).setCommand],
  ['unset', async () => (await import('./commands/rows.js')).unsetCommand],
  ['delete', async () => (await import('./commands/rows.js')).deleteCommand],
  ['rollout', async () => (await import('./commands/rollout.js')).rolloutCommand],
  ['invoke', async () => (await import('./commands/invoke.js')).invokeCommand],
  ['explain', async () => (await import('./commands/explain.js')).explainCommand],
  ['inspect', async () => (await import('./commands/inspect.js')).inspectCommand],
  ['sql', async () => (await import('./commands/sql.js')).sqlCommand],
  ['import', async () => (await import('./commands/import.js')).importCommand],
  ['token', async () => (await import('./commands/token.js')).tokenCommand],
  ['console', async () => (await import('./commands/sign-in.js')).consoleCommand],
  ['export', async () => (await import('./commands/export.js')).exportCommand],
]);

const VERSION_FLAGS = ['-V', '--version'];

const packageFile = new URL('../../../package.json', import.meta.url);
const { version, description } = JSON.parse(readFileSync(packageFile, 'utf8')) as Record<string, string>;

/** Runs one command (`argv`: without the names of the programs) and resolves with its exit code. Never rejects. */
export async function main(argv: readonly string[], io: CommandIo): Promise<number> {
  const [first = '', second = ''] = argv;
  // So that the command is loaded with its settings.
  const words = first === 'help' && COMMANDS.has(second) ? [second, '--help'] : argv;
  let exitCode = 0;
  try {
    const factories = await loadFor(words[0] ?? '');
    const program = programOf(
      factories.map((factory) => factory(io)),
      io,
      (code) => {
        exitCode = code;
      },
    );
    await program.parseAsync(words, { from: 'user' });
    return exitCode;
  } catch (error) {
    return failed(error, io);
  }
}

/** MAIN-4: the command that is named; all for the overview; none for the version, and only their names if none has this name. */
async function loadFor(word: string): Promise<readonly CommandFactory[]> {
  const chosen = COMMANDS.get(word);
  if (chosen !== undefined) return [await chosen()];
  if (VERSION_FLAGS.includes(word)) return [];
  if (word === '' || word === 'help' || word.startsWith('-'))
    return Promise.all([...COMMANDS.values()].map((load) => load()));
  return [...COMMANDS.keys()].map((name) => () => ({
    command: new Command(name),
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
Settings may be given as flags, as environment variables (EXTENSION_REGISTRY_HTTP_PORT for --http-port) or in
extreg.config.yaml; docs/configuration.md lists them all.

Exit codes: 0 ok, 1 answered with an error, 64 wrong usage, 65 a file or schema that cannot be taken,
69 unreachable, 70 a fault of its own, 78 configuration.`,
    );
  for (const { command, action } of definitions) {
    command
      .addOption(configFileOption())
      .action(async (...args: unknown[]) => onEnd((await action(...(args as never[]))) ?? 0));
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

/** Prints the failure on standard error and returns its exit code. */
function failed(error: unknown, { stderr }: CommandIo): number {
  // commander has printed it.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT.usage;
  if (error instanceof ConfigError) {
    stderr.write(`extreg: ${error.message}\n`);
    return EXIT.configuration;
  }
  if (error instanceof CommandError) {
    stderr.write(`extreg: ${error.message}\n`);
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
