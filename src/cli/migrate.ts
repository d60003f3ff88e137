// `extreg migrate`: brings the database to the schema of this version.
import { Command } from 'commander';
import { loadConfig } from '../config.js';
import { addConfigOptions, configFlags, DATABASE_SETTINGS } from './config-options.js';
import { json } from './output.js';

export function migrateCommand(): Command {
  const command = new Command('migrate')
    .description('bring the database to the schema of this version; makes the embedded one where it is missing')
    .option('--json', 'print JSON');
  return addConfigOptions(command, DATABASE_SETTINGS).action(async (options: Record<string, unknown>) => {
    const config = loadConfig({ flags: configFlags(options), env: process.env, cwd: process.cwd() });
    const [{ migrateDatabase }, { withDatabase }, failures, { silentLogger }] = await Promise.all([
      import('../db/migrate.js'),
      import('./command-database.js'),
      import('./start-errors.js'),
      import('../telemetry/log.js'),
    ]);
    try {
      const { found, known } = await withDatabase(config, { create: true }, (connection) =>
        migrateDatabase(connection, silentLogger),
      );
      const text =
        found === known
          ? `the schema is at version ${known} already`
          : `the schema went from version ${found} to ${known}`;
      process.stdout.write(options.json ? json({ from: found, to: known }) : `${text}\n`);
    } catch (error) {
      throw failures.startFailure(error) ?? failures.databaseFailure(error) ?? error;
    }
  });
}
