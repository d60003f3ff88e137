// A process for embedded.test.ts to kill: opens a data directory (or takes only its lock) and tells on stdout how that went.
import { createServer } from 'node:net';
import { closeDatabase, openDatabase } from '../../../src/db/client.js';
import { DataDirectoryInUseError, openEmbedded } from '../../../src/embedded/postgres/embedded.js';
import { listenExclusively } from '../../../src/embedded/postgres/socket-lock.js';
import { silentLogger } from '../../../src/telemetry/log.js';

const [mode, dataDir = ''] = process.argv.slice(2);
const tell = (line: string) => process.stdout.write(`${line}\n`);

async function lock(): Promise<void> {
  await listenExclusively(createServer(), dataDir);
  tell('won');
}

async function write(): Promise<void> {
  const { socketDir, close } = await openEmbedded(dataDir, { onFailure: (error) => tell(error.message) });
  const connection = { kind: 'embedded', socketDir } as const;
  const db = openDatabase(connection, { max: 1, prepare: true, applicationName: 'writer', log: silentLogger });
  await db.$client`create table if not exists numbers (n serial primary key, twice int)`;
  tell('won');
  if (mode === 'open') {
    process.stdin.once('end', async () => {
      await closeDatabase(db);
      await close();
    });
    process.stdin.resume();
    return;
  }
  for (;;) {
    const [row] = await db.$client.begin(async (tx) => {
      const made = await tx`insert into numbers (twice) values (0) returning n`;
      await tx`update numbers set twice = n * 2 where n = ${made[0]?.n}`;
      return made;
    });
    tell(`acknowledged ${row?.n}`);
  }
}

(mode === 'lock' ? lock() : write()).catch((error: Error) => {
  tell(error instanceof DataDirectoryInUseError ? error.name : String(error));
  process.exit(1);
});
