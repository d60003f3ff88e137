// Embedded databases for tests, copied from a template: making one takes seconds, copying one does not.
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { migrateDatabase, missingStatements } from '../../src/db/migrate/migrate.js';
import { openEmbedded } from '../../src/embedded/postgres/embedded.js';
import { packFiles, TEMPLATE_FILE, templateKey, writeTemplate } from '../../src/embedded/postgres/embedded-template.js';
import { silentLogger } from '../../src/telemetry/log.js';
import { copyTree, template } from './templates.js';
import type { DatabaseState } from './test-database.js';

/** Gives a data directory, which is made where it is missing, a database that is closed. Returns the directory. */
export async function copyEmbedded(dataDir: string, state: DatabaseState = 'migrated'): Promise<string> {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  copyTree(join(await embeddedTemplate(), state), join(dataDir, 'pgdata'));
  return dataDir;
}

/** Gives a data directory the template that the daemon itself would keep there. Returns the path of it. */
export async function copyTemplateFile(dataDir: string): Promise<string> {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const path = join(dataDir, TEMPLATE_FILE);
  copyFileSync(join(await embeddedTemplate(), TEMPLATE_FILE), path);
  return path;
}

/** A directory with the databases `empty` and `migrated`, and the daemon's own template. */
export function embeddedTemplate(): Promise<string> {
  const key = templateKey(missingStatements(0));
  return template('embedded', createHash('sha256').update(key).digest('hex').slice(0, 16), async (directory) => {
    // Not in its place: a socket needs a short path.
    const dataDir = mkdtempSync(join(tmpdir(), 'extreg-template-'));
    try {
      const pgdata = join(dataDir, 'pgdata');
      const database = await PGlite.create(pgdata);
      await database.close();
      copyTree(pgdata, join(directory, 'empty'));
      await migrate(dataDir);
      copyTree(pgdata, join(directory, 'migrated'));
      await writeTemplate(join(directory, TEMPLATE_FILE), key, packFiles(pgdata));
    } finally {
      rmSync(dataDir, { recursive: true, force: true });
    }
  });
}

async function migrate(dataDir: string): Promise<void> {
  const embedded = await openEmbedded(dataDir, {
    onFailure: (error) => {
      throw error;
    },
  });
  await migrateDatabase({ kind: 'embedded', socketDir: embedded.socketDir }, silentLogger);
  await embedded.close();
}
