// How long a change by plain SQL takes to arrive at a listener of the feed. Measured and logged, not judged: machines differ.
import anyTest, { type TestFn } from 'ava';
import { registryFeed } from '../../../src/db/feed/registry-feed.js';
import { onBothEngines } from '../../helpers/postgres.js';
import { until } from '../../helpers/until.js';

const onBoth = onBothEngines(anyTest as TestFn);
const CHANGES = 100;
const EXTENSIONS = 500;

onBoth(
  `registryFeed: each of ${CHANGES} changes by plain SQL arrives (time from before the statement to delivery)`,
  async (t, database) => {
    const { $client } = database.open(1);
    await $client`insert into extensions (id, type, subject) select 'e' || n, 'pre', 'x' from generate_series(1, ${EXTENSIONS}) as n`;
    const arrived = new Map<string, number>();
    let ready = false;
    const subscription = registryFeed({ connect: () => database.open(1), onState: () => undefined }).subscribe(
      (update) => {
        ready = true;
        for (const { extension } of update.entries) arrived.set(extension.subject, performance.now());
      },
    );
    t.teardown(() => subscription.unsubscribe());
    await until('the snapshot', () => ready);
    const times: number[] = [];
    for (let n = 1; n <= CHANGES; n += 1) {
      const started = performance.now();
      await $client`update extensions set subject = ${`changed.${n}`} where id = ${`e${n}`}`;
      times.push((await until(`change ${n}`, () => arrived.get(`changed.${n}`))) - started);
    }
    times.sort((a, b) => a - b);
    const at = (share: number) => (times[Math.ceil(times.length * share) - 1] ?? 0).toFixed(1);
    t.is(times.length, CHANGES);
    t.log(`p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms`);
  },
);
