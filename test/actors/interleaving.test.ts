// Random schedules of callers, outcomes, timers, stalls, ticks and decisions of people, on the whole core: two versions, a
// pool of three with a shared subject, retries, in every second one active checks. Each schedule is told by its seed, so that
// a failure can be run again.
import test, { type ExecutionContext } from 'ava';
import type { ExtensionRow, RegistryEntry } from '../../src/domain/registry/registry-rows.js';
import { done } from '../../src/domain/steps.js';
import { ActorWorld, type Called, type SentAttempt, type SentCheck, START_WALL_MS } from '../helpers/actor-world.js';
import { seeds } from '../helpers/depth.js';
import {
  changesOf,
  extensionRow,
  instanceRow,
  registryEntry,
  snapshotOf,
  versionRow,
} from '../helpers/registry-rows.js';
import { seededRandom } from '../helpers/seeded-random.js';

const SEEDS = seeds(2000);
const STEPS = 90;
const PERMITS = 2;
const OPEN_MS = 10_000;
const POLICY = {
  breaker: { half_open_max_requests: PERMITS, open_seconds: OPEN_MS / 1000, open_max_seconds: 40, window_seconds: 20 },
};
const ENDS = [
  'timeout',
  'no_responders',
  'disconnected',
  'too_large',
  'not_permitted',
  0,
  0,
  0,
  0,
  500,
  503,
  429,
  404,
] as const;
const NEUTRAL: readonly unknown[] = ['disconnected', 'too_large', 'not_permitted', 429];

interface Out {
  readonly sent: SentAttempt | SentCheck;
  isEnded: boolean;
}

const isCheck = (sent: SentAttempt | SentCheck): boolean => 'body' in sent;

class Schedule {
  readonly world = new ActorWorld();
  readonly random: () => number;
  readonly calls: Called[] = [];
  readonly out: Out[] = [];
  readonly instances = [
    instanceRow('a', 'i1'),
    instanceRow('a', 'i2', { subject: 'ext.a.shared' }),
    instanceRow('a', 'i3', { subject: 'ext.a.shared', weight: 30 }),
  ];
  /** Ends that count as a success or a failure, and those of no responders, which the grace may make neutral. */
  counted = 0;
  absences = 0;
  row: Partial<ExtensionRow> = {};
  revision = 1;
  /** When it opened last and nobody has decided anything since; null: it may be called. */
  openedMs: number | null = null;
  seenEvents = 0;

  constructor(
    private readonly t: ExecutionContext,
    private readonly seed: number,
  ) {
    this.random = seededRandom(seed);
    this.world.random = this.random();
    this.world.onSent = (sent) => this.#sent(sent);
    this.world.onCheck = (check) => this.#sent(check);
    this.world.feed$.next(snapshotOf(1, this.#entry()));
  }

  get target() {
    return this.world.core.supervisor.runtimes.get('a')?.defaultService?.target;
  }

  run(): void {
    for (let step = 0; step < STEPS; step++) {
      this.#step();
      this.#follow();
      this.#check();
    }
  }

  /** Everybody behaves from now on: whatever happened, it has to work again, and every caller has one answer. */
  end(): void {
    const { world, t } = this;
    this.#change({ enabled: true, auto_disabled: false, breaker_override: null, switched_by: 'db:ops' });
    for (const out of this.out) if (!out.isEnded) this.#end(out, 0);
    world.clock.advance(120_000);
    for (const out of this.out) if (!out.isEnded) this.#end(out, 0);
    for (let i = 0; i < 400 && world.core.view.one('a')?.health.circuit_breaker_state !== 'closed'; i++) {
      this.#call();
      for (const out of this.out) if (!out.isEnded) this.#end(out, 0);
      world.clock.advance(500);
    }
    for (const out of this.out) if (!out.isEnded) this.#end(out, 0);
    const about = `seed ${this.seed}`;
    t.is(world.core.view.one('a')?.health.circuit_breaker_state, 'closed', `never wedged, ${about}`);
    t.true(
      this.calls.every((call) => call.answers.length === 1),
      `one answer each, ${about}`,
    );
    t.is(world.core.router.inFlight, 0, `no place is lost, ${about}`);
    t.is(this.target?.inFlight, 0, about);
    t.is(this.target?.probes, 0, about);
    const { successes = 0, failures = 0 } = this.target?.counters ?? {};
    t.true(successes + failures >= this.counted, `one count per attempt, ${about}`);
    t.true(successes + failures <= this.counted + this.absences, `one count per attempt, ${about}`);
    done(world.core.supervisor.stopping());
    // The ticks of the core and of the aggregate go on, and the slots of ten seconds; nothing else may.
    t.true(world.clock.armed <= 3, `no timer is left, ${about}`);
  }

  #entry(): RegistryEntry {
    const extension = extensionRow('a', {
      timeout_ms: 4000,
      retry: 1,
      policy: this.seed % 2 === 0 ? { ...POLICY, health_check: { interval_seconds: 3 } } : POLICY,
      revision: this.revision,
      ...this.row,
    });
    const versions = [versionRow('a', 'v2', { routing_rules: { tenant_id: 'x' } })];
    return registryEntry(extension, { versions, instances: this.instances });
  }

  #change(row: Partial<ExtensionRow>): void {
    this.row = { ...this.row, ...row };
    this.revision++;
    this.openedMs = null;
    this.world.feed$.next(changesOf(this.revision, [this.#entry()]));
  }

  #step(): void {
    const { world } = this;
    const dice = this.random();
    if (dice < 0.3) this.#call();
    else if (dice < 0.75) this.#endOne();
    else if (dice < 0.86) world.clock.advance(Math.floor(this.random() * 3000));
    else if (dice < 0.9) world.clock.advance(OPEN_MS);
    else if (dice < 0.93) world.clock.stall(Math.floor(this.random() * 12_000));
    else if (dice < 0.95) done(world.core.ticks.evaluating(world.clock.now()));
    else if (dice < 0.97) world.clock.fireEarly();
    else this.#decide();
  }

  #decide(): void {
    const decisions: Partial<ExtensionRow>[] = [
      { enabled: false, auto_disabled: false, switched_by: 'db:ops' },
      { enabled: true, auto_disabled: false, switched_by: 'db:ops' },
      { breaker_override: 'isolated' },
      { breaker_override: 'forced_closed' },
      { breaker_override: null },
    ];
    this.#change(decisions[Math.floor(this.random() * decisions.length)] ?? {});
  }

  #call(): void {
    const budgetMs = this.random() < 0.2 ? Math.floor(10 + this.random() * 3000) : null;
    for (let i = this.random() < 0.2 ? 5 : 1; i > 0; i--) this.calls.push(this.world.call('a', budgetMs));
  }

  #sent(sent: SentAttempt | SentCheck): void {
    const { t, world, openedMs } = this;
    const isSame = (out: Out): boolean =>
      !out.isEnded && isCheck(out.sent) && out.sent.route.subject === sent.route.subject;
    if (isCheck(sent)) t.false(this.out.some(isSame), `checks never overlap, seed ${this.seed}`);
    this.out.push({ sent, isEnded: false });
    this.#follow();
    t.is(this.row.enabled ?? true, true, `a person's disable lets nothing through, seed ${this.seed}`);
    t.not(this.row.breaker_override, 'isolated', `isolation lets nothing through, seed ${this.seed}`);
    if (openedMs !== null && sent.route.spec.version === 'v1' && this.row.breaker_override !== 'forced_closed')
      t.true(world.clock.now() >= openedMs + OPEN_MS, `never open shorter than its time, seed ${this.seed}`);
  }

  #endOne(): void {
    const waiting = this.out.filter((out) => !out.isEnded);
    const out = waiting[Math.floor(this.random() * waiting.length)];
    if (out !== undefined) this.#end(out, ENDS[Math.floor(this.random() * ENDS.length)] ?? 0);
  }

  #end(out: Out, how: (typeof ENDS)[number]): void {
    out.isEnded = true;
    if (out.sent.route.spec.version !== 'v1') return out.sent.end(how);
    if (how === 'no_responders') this.absences++;
    else if (!NEUTRAL.includes(how)) this.counted++;
    out.sent.end(how, how === 429 ? 1000 : undefined);
  }

  #follow(): void {
    const { events } = this.world;
    for (; this.seenEvents < events.length; this.seenEvents++) {
      const { event: kind, at = '' } = events[this.seenEvents] ?? {};
      if (kind === 'circuit_opened') this.openedMs = Date.parse(at) - START_WALL_MS;
      if (kind === 'circuit_half_opened' || kind === 'circuit_closed') this.openedMs = null;
    }
  }

  #check(): void {
    const { t, target } = this;
    t.true((target?.probes ?? 0) <= PERMITS, `never more permits out than there are, seed ${this.seed}`);
    t.true(
      this.calls.every((call) => call.answers.length <= 1),
      `never two answers, seed ${this.seed}`,
    );
    const out = [...(target?.rotation.endpoints ?? [])].filter((endpoint) => !endpoint.isInRotation);
    t.true(out.length <= 1, `of two subjects at most one is out, seed ${this.seed}`);
  }
}

test(`invariants: ${SEEDS.length} random schedules keep permits, open times, counts and answers, and none is wedged`, (t) => {
  let opened = 0;
  let checked = 0;
  let ejected = 0;
  for (const seed of SEEDS) {
    const schedule = new Schedule(t, seed);
    schedule.run();
    schedule.end();
    checked += schedule.world.checks.length;
    opened += schedule.world.kinds().filter((kind) => kind === 'circuit_opened').length;
    ejected += schedule.world.kinds().filter((kind) => kind === 'instance_ejected').length;
  }
  t.true(checked > SEEDS.length, `${checked} checks were sent`);
  t.true(opened > SEEDS.length / 2, `${opened} openings were seen`);
  t.true(ejected > SEEDS.length / 20, `${ejected} ejections were seen`);
});
