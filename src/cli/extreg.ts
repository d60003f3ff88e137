#!/usr/bin/env node
// The command `extreg`: puts the commands together and turns every end into an exit code.
//
// X1. 0 ok, 1 answered with an error, 64 wrong usage, 65 a file or schema that cannot be taken, 69 unreachable, 70 a bug,
//     78 configuration.
// X2. An expected failure prints a sentence on standard error; only a bug prints a stack.
// X3. A reader that goes away (`extreg … | head`) is no failure.
// X4. All that was printed has left before the process ends, however slow its reader: a pipe takes 64 KiB at a time.
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { ConfigError } from '../config.js';
import { checkConfigCommand } from './check-config.js';
import { CommandError, EXIT } from './command-error.js';
import { explainCommand } from './explain.js';
import { exportCommand } from './export.js';
import { healthCommand } from './health.js';
import { importCommand } from './import.js';
import { inspectCommand } from './inspect.js';
import { invokeCommand } from './invoke.js';
import { migrateCommand } from './migrate.js';
import { rolloutCommand } from './rollout.js';
import { serveCommand } from './serve.js';
import { sqlCommand } from './sql.js';
import { verbCommands } from './verbs.js';

const BUG = 70;

for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });

const packageFile = new URL('../../../package.json', import.meta.url);
const { version, description } = JSON.parse(readFileSync(packageFile, 'utf8')) as Record<string, string>;

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
for (const command of [
  serveCommand(),
  migrateCommand(),
  checkConfigCommand(),
  healthCommand(),
  ...verbCommands(),
  rolloutCommand(),
  invokeCommand(),
  explainCommand(),
  inspectCommand(),
  sqlCommand(),
  importCommand(),
  exportCommand(),
])
  program.addCommand(command);
for (const command of [program, ...program.commands]) command.exitOverride().showHelpAfterError('(--help tells more)');

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = told(error);
}
// X4; a reader that went away has an answer too.
for (const stream of [process.stdout, process.stderr]) await new Promise((written) => stream.write('', written));
// Handles that a library left open must not keep a finished command alive.
process.exit();

/** Tells the failure on standard error and gives its exit code. */
function told(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT.usage;
  if (error instanceof ConfigError) {
    process.stderr.write(`extreg: ${error.message}\n`);
    return EXIT.configuration;
  }
  if (error instanceof CommandError) {
    process.stderr.write(`extreg: ${error.message}\n`);
    return error.exitCode;
  }
  process.stderr.write(`extreg: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return BUG;
}
