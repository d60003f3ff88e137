// The daemon starts on a database that a predecessor left behind.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { closeDatabase, openDatabase } from '../../src/db/client.js';
import { openEmbedded } from '../../src/embedded/postgres/embedded.js';
import { silentLogger } from '../../src/telemetry/log.js';
import { PREDECESSOR } from '../db/migrate/predecessor.js';
import { OLD_ROWS, REFUSED, REFUSED_UNCHECKED, refusedNames, UNCHECKED_ROWS } from '../db/migrate/predecessor-rows.js';
import { DaemonProcess, invoke } from '../helpers/daemon-process.js';
import { copyEmbedded } from '../helpers/embedded-template.js';
import { startExtension, TestServer } from '../helpers/nats-server.js';
import { until } from '../helpers/until.js';

type Rejected = { readonly extension_id: string; readonly version?: string; readonly instance_id?: string };

test('adoption: bad rows are named, good ones answer, stored breakers go on where they were', async (t) => {
  const dataDir = mkdtempSync(join(tmpdir(), 'extreg-adopted-'));
  t.teardown(() => rmSync(dataDir, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 }));
  await copyEmbedded(dataDir, 'empty');
  const embedded = await openEmbedded(dataDir, { onFailure: (error) => t.fail(error.message) });
  const connection = { kind: 'embedded', socketDir: embedded.socketDir } as const;
  const old = openDatabase(connection, { max: 1, prepare: false, applicationName: 'test', log: silentLogger });
  await old.$client.unsafe(PREDECESSOR + OLD_ROWS + UNCHECKED_ROWS);
  await closeDatabase(old);
  await embedded.close();

  const server = await TestServer.start();
  t.teardown(() => server.stop());
  const client = await server.connect();
  const events: string[] = [];
  client.subscribe('extreg.v1.event.registry_row_rejected.>', {
    callback: (_, { subject }) => void events.push(subject),
  });
  await client.flush();
  for (const subject of [
    'beamline.ext.validate.guard.v2',
    'beamline.ext.pre.normalize_text.v1',
    'old.recovered',
    'old.nulls',
  ])
    await startExtension(client, subject, () => ({ body: subject }));

  const daemon = await DaemonProcess.startReady(t, { NATS_URL: server.url }, dataDir);
  const expected = [...REFUSED, ...REFUSED_UNCHECKED].sort();
  const named = () =>
    refusedNames(
      daemon.log
        .filter((line) => line.event === 'registry_row_rejected')
        .map((line) => ({ ...(line as never as Rejected), problems: String(line.reason).split('; ') })),
    );
  await until('every bad row is named', () => named().length >= expected.length);
  const found = named();
  t.deepEqual(
    found.map((line, i) => (line.startsWith(expected[i] ?? '\0') ? expected[i] : line)),
    expected,
  );
  await until('events', () => events.includes('extreg.v1.event.registry_row_rejected.wild'));

  const nc = await daemon.connect();
  t.is((await invoke(nc, 'guard')).body, 'beamline.ext.validate.guard.v2');
  t.is((await invoke(nc, 'normalize_text')).body, 'beamline.ext.pre.normalize_text.v1');
  t.is((await invoke(nc, 'nulls')).body, 'old.nulls');
  for (const [id, reason] of [
    ['wild', 'row_invalid'],
    ['odd_type', 'row_invalid'],
    ['off', 'disabled'],
    ['tripped', 'circuit_open'],
  ] as const) {
    const { error, details } = await invoke(nc, id);
    t.deepEqual([error, details.reason], ['extension_unavailable', reason], id);
  }
  t.is(await daemon.state('tripped'), 'open');

  // Its open time is over: two probes close it, and what the predecessor had switched off is switched on again.
  t.is((await invoke(nc, 'recovered')).body, 'old.recovered');
  t.is((await invoke(nc, 'recovered')).body, 'old.recovered');
  const sql = daemon.sql();
  await until('it is enabled', async () => {
    const [row] = await sql`select enabled, auto_disabled from extensions where id = 'recovered'`;
    return row?.enabled === true && row.auto_disabled === false;
  });
  const [off] = await sql`select enabled from extensions where id = 'off'`;
  t.is(off?.enabled, false);
});
