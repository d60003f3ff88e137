// `extreg migrate`: brings the database to the schema of this version, and names the rows that the daemon will refuse.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from '#commander';
import type { Config } from '../../config/config.js';
import type { DatabaseConnection } from '../../db/client.js';
import type { MigrationPreview } from '../../db/migrate/migration-preview.js';
import type { RegistryEntry } from '../../domain/registry/registry-rows.js';
import { commandConfig } from '../options/command-config.js';
import type { CommandFactory } from '../options/command-definition.js';
import type { OutputOptions } from '../options/common-options.js';
import { addExamples } from '../options/examples.js';
import { json, textTable } from '../output/output.js';
import { refusedText } from '../output/refused-text.js';

interface MigrateOptions extends OutputOptions {
  readonly dryRun?: boolean;
}

export const migrateCommand: CommandFactory = (io) => ({
  command: addExamples(
    new Command('migrate')
      .option('--dry-run', 'say what would be done and which rows the daemon would refuse, and change nothing')
      .option('--json', 'print JSON'),
    'extreg migrate --dry-run',
    'extreg migrate --database-url postgres://extreg:secret@db/extension_registry',
  ),
  settings: 'registry',
  action: async (options: MigrateOptions) => {
    const { config } = await commandConfig(io, options);
    const failures = await import('../process/start-errors.js');
    try {
      const text = await (options.dryRun ? preview : migrate)(config, options);
      // A preview is what was asked for.
      if (options.json || options.dryRun || !options.quiet) io.stdout.write(text);
    } catch (error) {
      throw failures.startFailure(error) ?? failures.databaseFailure(error) ?? error;
    }
  },
});

async function migrate(config: Config, options: MigrateOptions): Promise<string> {
  const [{ migrateDatabase }, { withDatabase }, { silentLogger }, rows, { subjectRules }] = await Promise.all([
    import('../../db/migrate/migrate.js'),
    import('../registry/command-database.js'),
    import('../../telemetry/log.js'),
    import('../output/refused-rows.js'),
    import('../registry/registry-database.js'),
  ]);
  const { found, known, entries } = await withDatabase(config, { create: true }, async (connection, isNew) => ({
    ...(await migrateDatabase(connection, silentLogger)),
    ...(isNew ? { found: 0 } : {}),
    entries: await readEntries(connection),
  }));
  const refused = rows.refusedRows(entries, subjectRules(config));
  if (options.json) return json({ from: found, to: known, refused: rows.refusedForPrograms(refused) });
  const text =
    found === known ? `the schema is at version ${known} already` : `the schema went from version ${found} to ${known}`;
  return `${text}\n${refusedText(refused)}`;
}

async function readEntries(connection: DatabaseConnection): Promise<readonly RegistryEntry[]> {
  const [{ closeDatabase, openDatabase }, { readSnapshot }, { silentLogger }] = await Promise.all([
    import('../../db/client.js'),
    import('../../db/queries/registry-queries.js'),
    import('../../telemetry/log.js'),
  ]);
  const db = openDatabase(connection, {
    max: 1,
    prepare: false,
    applicationName: 'extreg migrate',
    log: silentLogger,
  });
  try {
    return (await readSnapshot(db)).entries;
  } finally {
    await closeDatabase(db);
  }
}

async function preview(config: Config, options: MigrateOptions): Promise<string> {
  const [
    { previewMigration },
    { knownMigrations },
    { withDatabase },
    { silentLogger },
    rows,
    { subjectRules },
    { databasePlaces },
  ] = await Promise.all([
    import('../../db/migrate/migration-preview.js'),
    import('../../db/migrate/migrate.js'),
    import('../registry/command-database.js'),
    import('../../telemetry/log.js'),
    import('../output/refused-rows.js'),
    import('../registry/registry-database.js'),
    import('../../config/config.js'),
  ]);
  const isMissing = databasePlaces(config) === null && !existsSync(join(config.data_dir, 'pgdata'));
  const found: MigrationPreview = isMissing
    ? { ...NOTHING, versions: { found: 0, known: knownMigrations().length }, migrations: knownMigrations() }
    : await withDatabase(config, { create: false }, (connection) => previewMigration(connection, silentLogger));
  const { versions, migrations, changes } = found;
  const refused = rows.refusedRows(found.entries, subjectRules(config));
  if (options.json)
    return json({
      dry_run: true,
      from: versions.found,
      to: versions.known,
      makes_database: isMissing,
      migrations,
      ...changes,
      rows: found.rows,
      refused: rows.refusedForPrograms(refused),
    });
  const head = isMissing
    ? `an embedded database would be made in ${config.data_dir}, with schema version ${versions.known}`
    : migrations.length === 0
      ? `the schema is at version ${versions.known} already`
      : `the schema would go from version ${versions.found} to ${versions.known}: ${migrations.join(', ')}`;
  const counts = Object.entries(found.rows).map(([table, count]) => [table, String(count)]);
  return [
    `${head}; nothing was changed\n`,
    ...Object.entries(changes).map(([kind, names]: [string, readonly string[]]) =>
      names.length === 0
        ? ''
        : `${kind.replace('_', ' ')}: ${names.length}\n${names.map((name) => `  ${name}\n`).join('')}`,
    ),
    ...(counts.length === 0 ? [] : [textTable(['TABLE', 'ROWS'], counts)]),
    refusedText(refused),
  ].join('');
}

const NOTHING = {
  changes: {
    tables_added: [],
    columns_added: [],
    constraints_added: [],
    constraints_dropped: [],
    defaults_set: [],
    defaults_dropped: [],
    triggers_added: [],
    indexes_added: [],
  },
  rows: {},
  entries: [],
} satisfies Omit<MigrationPreview, 'versions' | 'migrations'>;
