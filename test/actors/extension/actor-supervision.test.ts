import test from 'ava';
import { Observable } from '#rxjs';
import { after, every, keepAlive } from '../../../src/actors/extension/actor-supervision.js';
import { SimulatedClock } from '../../helpers/simulated-clock.js';

/** Lives that end in an error after `livesMs`; which moments they began and ended at. */
class Lives {
  readonly clock = new SimulatedClock();
  readonly begunMs: number[] = [];
  readonly failed: { readonly error: unknown; readonly givenUp: boolean }[] = [];
  ended = 0;
  completed = false;
  livesMs: number | null = 0;
  readonly subscription;

  constructor() {
    const life$ = new Observable<never>((subscriber) => {
      this.begunMs.push(this.clock.now());
      const number = this.begunMs.length;
      const timer =
        this.livesMs === null
          ? null
          : this.clock.setTimeout(() => subscriber.error(new Error(`life ${number}`)), this.livesMs);
      return () => {
        this.ended++;
        this.clock.clearTimeout(timer);
      };
    });
    this.subscription = keepAlive(life$, this.clock, (error, givenUp) =>
      this.failed.push({ error, givenUp }),
    ).subscribe({
      complete: () => {
        this.completed = true;
      },
    });
  }
}

test('keepAlive: a life that fails is followed by another, after delays that double', (t) => {
  const lives = new Lives();
  lives.clock.advance(1550);
  t.deepEqual(lives.begunMs, [0, 50, 150, 350, 750, 1550]);
  t.deepEqual(
    lives.failed.map(({ error, givenUp }) => [(error as Error).message, givenUp]),
    [
      ['life 1', false],
      ['life 2', false],
      ['life 3', false],
      ['life 4', false],
      ['life 5', false],
      ['life 6', true],
    ],
  );
});

test('keepAlive: after too many failures it is tried once a minute, and each try that fails is told as given up', (t) => {
  const lives = new Lives();
  lives.clock.advance(1550);
  lives.clock.advance(59_999);
  t.is(lives.begunMs.length, 6);
  lives.clock.advance(1);
  t.is(lives.begunMs.length, 7);
  lives.clock.advance(5 * 60_000);
  t.deepEqual(
    lives.begunMs.slice(6).map((ms) => ms - 1550),
    [60_000, 120_000, 180_000, 240_000, 300_000, 360_000],
  );
  t.true(lives.failed.slice(5).every(({ givenUp }) => givenUp));
});

test('keepAlive: one that works at last is left alone', (t) => {
  const lives = new Lives();
  lives.clock.advance(100);
  lives.livesMs = null;
  lives.clock.advance(1e9);
  t.is(lives.begunMs.length, 3);
  t.false(lives.completed);
});

test('keepAlive: one that fails now and then is rebuilt quickly each time', (t) => {
  const lives = new Lives();
  lives.livesMs = 20_000;
  lives.clock.advance(1_000_000);
  t.true(lives.begunMs.length >= 49);
  t.true(lives.failed.every(({ givenUp }) => !givenUp));
});

test('FM 53: nothing is left after unsubscribing, neither while it lives nor while it waits', (t) => {
  const waiting = new Lives();
  waiting.clock.advance(0);
  t.is(waiting.clock.armed, 1);
  waiting.subscription.unsubscribe();
  t.is(waiting.clock.armed, 0);
  waiting.clock.advance(1e9);
  t.is(waiting.begunMs.length, 1);

  const living = new Lives();
  living.subscription.unsubscribe();
  t.is(living.clock.armed, 0);
  t.is(living.ended, 1);
  t.deepEqual(living.failed, []);
});

test('after: emits once and completes at its time', (t) => {
  const clock = new SimulatedClock();
  const seen: (number | string)[] = [];
  after(100, clock).subscribe({ next: () => seen.push(clock.now()), complete: () => seen.push('complete') });
  clock.advance(99);
  t.deepEqual(seen, []);
  clock.advance(1000);
  t.deepEqual(seen, [100, 'complete']);
});

test('every: emits at each multiple of its time until nobody listens', (t) => {
  const clock = new SimulatedClock();
  const seen: number[] = [];
  const subscription = every(100, clock).subscribe(() => seen.push(clock.now()));
  clock.advance(350);
  t.deepEqual(seen, [100, 200, 300]);
  subscription.unsubscribe();
  t.is(clock.armed, 0);
  clock.advance(1000);
  t.is(seen.length, 3);
});
