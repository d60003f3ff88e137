// That a daemon ends, whatever holds on to it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { EXTREG } from '../cli/run.js';
import { DaemonProcess } from '../helpers/daemon-process.js';
import { until } from '../helpers/until.js';

const SHUTDOWN_SECONDS = 2;
/** More than a pipe and the log's reader take: 500 refused rows, each with a line of its own. */
const MANY_LINES = `insert into extensions (id, type, subject)
  select 'refused-' || n, 'pre', 'not.>.valid.' || n from generate_series(1, 500) n`;

test('SIGNALS-5: a reader of the log that stands still does not keep the daemon from ending', async (t) => {
  // A copy of the template, which the first daemon leaves behind.
  const first = await DaemonProcess.startReady(t);
  const { dataDir } = first;
  t.is(await first.stop(), 0);
  // A real pipe: Node's own would be read.
  const shell = spawn(
    'bash',
    [
      '-c',
      '("$0" --liftoff-only "$1" serve & echo $! >&2; wait $!; echo "ended $?" >&2) | sleep 300',
      process.execPath,
      EXTREG,
    ],
    {
      cwd: dataDir,
      env: {
        ...process.env,
        EXTENSION_REGISTRY_DATA_DIR: dataDir,
        EXTENSION_REGISTRY_HTTP_PORT: '0',
        EXTENSION_REGISTRY_SHUTDOWN_TIMEOUT_SECONDS: String(SHUTDOWN_SECONDS),
      },
      stdio: ['ignore', 'ignore', 'pipe'],
      detached: true,
    },
  );
  const closed = once(shell, 'exit');
  t.teardown(async () => {
    if (shell.pid !== undefined) process.kill(-shell.pid, 'SIGKILL');
    await closed;
  });
  let said = '';
  shell.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  await until('the daemon is up', () => existsSync(join(dataDir, 'daemon.json')));
  const daemon = Number.parseInt(said, 10);
  const sql = first.sql();
  await sql.unsafe(MANY_LINES);
  const { http } = JSON.parse(readFileSync(join(dataDir, 'daemon.json'), 'utf8')) as { http: string };
  const [{ revision = '' } = {}] = await sql`select revision::text as revision from registry_revision`;
  await until('the rows are refused', async () => {
    const metrics = await (await fetch(`${http}/metrics`)).text();
    return metrics.includes(`\nextension_registry_revision ${revision}\n`);
  });
  process.kill(daemon, 'SIGTERM');
  await until('the daemon has ended', () => /ended \d+/.test(said), (SHUTDOWN_SECONDS + 5 + 20) * 1000);
  t.regex(said, /ended 137/, 'killed by itself: an exit would wait for the reader');
});
