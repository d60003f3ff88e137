import test from 'ava';
import { within } from '../../src/telemetry/deadline.js';
import { SingleFlight } from '../../src/telemetry/single-flight.js';
import { SimulatedClock } from '../helpers/simulated-clock.js';

const never = new Promise<string>(() => undefined);

test('within: what comes in time counts, a failure too, and no timer is left', async (t) => {
  const clock = new SimulatedClock();
  t.is(await within(1000, Promise.resolve('done'), 'late', clock), 'done');
  await t.throwsAsync(within(1000, Promise.reject(new Error('no')), 'late', clock), { message: 'no' });
  t.is(clock.armed, 0);
});

test('within: after the deadline it is late, at that moment and not before', async (t) => {
  const clock = new SimulatedClock();
  let result: unknown = 'waiting';
  const waiting = within(1000, never, 'late', clock).then((one) => {
    result = one;
  });
  clock.advance(999);
  await Promise.resolve();
  t.is(result, 'waiting');
  clock.advance(1);
  await waiting;
  t.is(result, 'late');
  t.is(clock.armed, 0);
});

test('within: without a clock it takes the timers of the process', async (t) => {
  t.is(await within(1, never, null), null);
});

test('SingleFlight: one run at a time, shared; the next one begins anew, also after a failure', async (t) => {
  let runs = 0;
  let end: () => void = () => undefined;
  const flight = new SingleFlight(async () => {
    runs += 1;
    await new Promise<void>((resolve) => {
      end = resolve;
    });
    if (runs === 1) throw new Error('the first one fails');
    return runs;
  });
  const both = [flight.run(), flight.run()];
  t.is(runs, 1);
  end();
  for (const one of both) await t.throwsAsync(one, { message: 'the first one fails' });
  const next = flight.run();
  t.is(runs, 2);
  end();
  t.is(await next, 2);
});

test('SingleFlight: who must see what happened before the call waits for a run that begins after it', async (t) => {
  const ends: (() => void)[] = [];
  const flight = new SingleFlight(async () => {
    const run = ends.length + 1;
    await new Promise<void>((resolve) => ends.push(resolve));
    if (run === 1) throw new Error('the first one fails');
    return run;
  });
  const first = flight.run();
  const anew = [flight.runAnew(), flight.runAnew()];
  t.is(ends.length, 1, 'one run at a time');
  ends[0]?.();
  await t.throwsAsync(first, { message: 'the first one fails' });
  const joined = flight.run();
  t.is(ends.length, 2);
  ends[1]?.();
  t.deepEqual(await Promise.all([...anew, joined]), [2, 2, 2]);
  const alone = flight.runAnew();
  ends[2]?.();
  t.is(await alone, 3);
});
