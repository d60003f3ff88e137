// A reload that was not answered in time. RELOADS-2 of reloads.ts.
import test from 'ava';
import { reloadOf } from '../../src/daemon/reload.js';
import { silentLogger } from '../../src/telemetry/log.js';
import { LogControl } from '../../src/telemetry/log-control.js';

for (const force of [false, true])
  test(`RELOADS-2: a reload ${force ? 'with' : 'without'} force that is late says what happens later`, async (t) => {
    const reload = reloadOf({
      system: { supervisor: { reload: async () => null } },
      database: { isAway: () => false },
      levels: new LogControl({ level: 'info', components: [] }),
      reloadFiles: async () => undefined,
      log: silentLogger,
    } as unknown as Parameters<typeof reloadOf>[0]);
    const answer = await reload({ force, reason: 'why', actor: 'ada' });
    if (answer.kind !== 'database_unavailable') throw new Error(answer.kind);
    t.regex(answer.message, /not read in time; it will be read when it can be/);
    t.is(/nothing is forced then: repeat the reload with force/.test(answer.message), force);
  });
