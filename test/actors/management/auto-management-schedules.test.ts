// Automatic management under any order of calls, time, outages of the database, and rows that persons change: one daemon
// beside a registry that does what the database does, its feed as late as the schedule says.
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import type { AutoChange } from '../../../src/actors/ports/storage.js';
import { HEALTH_WINDOW_MS } from '../../../src/domain/health/health-window.js';
import type { ExtensionRow } from '../../../src/domain/registry/registry-rows.js';
import { ActorWorld, settle } from '../../helpers/actor-world.js';
import { runs } from '../../helpers/depth.js';
import { changesOf, extensionRow, registryEntry, snapshotOf } from '../../helpers/registry-rows.js';

const IDS = Array.from({ length: 6 }, (_, i) => `e${i}`);
const AUTO_MANAGER = 'system:auto-manager';
const BREAKER = { window_seconds: 10, open_seconds: 3, open_max_seconds: 12 };
const SECOND_MS = 1000;

/** `losing answers`: what it is asked is done, and nobody hears of it. */
type Database = 'there' | 'away' | 'losing answers';
type Decision = 'disable' | 'enable' | 'isolate' | 'force' | 'release' | 'touch';

const which = fc.nat({ max: IDS.length - 1 });
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      what: fc.constant('call' as const),
      which,
      good: fc.boolean(),
      times: fc.integer({ min: 1, max: 6 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('callAll' as const), good: fc.boolean() }) },
  {
    weight: 5,
    arbitrary: fc.record({ what: fc.constant('pass' as const), ms: fc.constantFrom(100, 1000, 3000, 11_000, 35_000) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      what: fc.constant('database' as const),
      is: fc.constantFrom<Database>('there', 'there', 'there', 'away', 'losing answers'),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      what: fc.constant('decide' as const),
      which,
      decision: fc.constantFrom<Decision>('disable', 'enable', 'isolate', 'force', 'release', 'touch'),
    }),
  },
  { weight: 3, arbitrary: fc.record({ what: fc.constant('feed' as const) }) },
);
/** How an extension behaves in the end. */
type Behaviour = 'good' | 'bad' | 'idle';

const ending = fc.array(fc.constantFrom<Behaviour>('good', 'good', 'bad', 'idle'), {
  minLength: IDS.length,
  maxLength: IDS.length,
});

type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

class Schedule {
  readonly world: ActorWorld;
  readonly rows = new Map<string, ExtensionRow>();
  /** Where the last to switch it was a person, and off. */
  readonly offByPerson = new Set<string>();
  readonly #untold = new Set<string>();
  #revision = 1;
  #losesAnswers = false;

  constructor(
    readonly t: ExecutionContext,
    autoEnable: boolean,
  ) {
    this.world = new ActorWorld({ autoEnableOnCircuitClose: autoEnable });
    this.world.autoChange = async (change) => this.#write(change);
    for (const id of IDS) this.rows.set(id, extensionRow(id, { policy: { breaker: BREAKER } }));
    this.world.feed$.next(snapshotOf(1, ...[...this.rows.values()].map((row) => registryEntry(row))));
  }

  row(id: string): ExtensionRow {
    return this.rows.get(id) as ExtensionRow;
  }

  set database(is: Database) {
    this.world.isDatabaseAway = is === 'away';
    this.#losesAnswers = is === 'losing answers';
  }

  async pass(ms: number): Promise<void> {
    const wasMassFailure = this.#isMassFailure();
    await this.world.pass(ms, SECOND_MS);
    if (ms >= SECOND_MS && wasMassFailure && this.#isMassFailure()) this.t.true(this.world.core.disableGuard.isOn);
  }

  call(id: string, good: boolean, times: number): void {
    for (let i = 0; i < times; i++) this.world.callEnding(id, good ? 0 : 500);
  }

  /** A person's statement: the trigger clears auto_disabled where it names `enabled`. */
  decide(id: string, decision: Decision): void {
    const switched = { auto_disabled: false, switched_by: 'ann' };
    switch (decision) {
      case 'disable':
        this.offByPerson.add(id);
        return this.#change(id, { enabled: false, ...switched });
      case 'enable':
        this.offByPerson.delete(id);
        return this.#change(id, { enabled: true, ...switched });
      case 'isolate':
        return this.#change(id, { breaker_override: 'isolated' });
      case 'force':
        return this.#change(id, { breaker_override: 'forced_closed' });
      case 'release':
        return this.#change(id, { breaker_override: null });
      case 'touch':
        return this.#change(id, { metadata: { touched: this.#revision } });
      default:
        decision satisfies never;
    }
  }

  /** The feed reads what changed, as it is now. */
  feed(): void {
    const ids = [...this.#untold];
    this.#untold.clear();
    if (ids.length > 0)
      this.world.feed$.next(
        changesOf(
          this.#revision,
          ids.map((id) => registryEntry(this.row(id))),
        ),
      );
  }

  #change(id: string, changes: Partial<ExtensionRow>): void {
    this.#revision++;
    this.rows.set(id, { ...this.row(id), ...changes, revision: this.#revision });
    this.#untold.add(id);
  }

  /** Guards by the revision alone, so that a wish which is wrong shows. */
  #write({ extension_id: id, change, revision }: AutoChange): { applied: true; revision: number } | { applied: false } {
    const { t, world } = this;
    const episode = world.kinds().findLast((kind) => kind.startsWith('mass_failure'));
    if (change === 'auto_disable') t.not(episode, 'mass_failure', 'nothing is disabled while the brake is on');
    const row = this.row(id);
    if (row.revision !== revision) return { applied: false };
    t.is(row.breaker_override, null);
    if (change === 'auto_disable') {
      t.true(row.enabled, 'only what is on is disabled');
      this.#change(id, { enabled: false, auto_disabled: true, switched_by: AUTO_MANAGER });
    } else {
      t.false(this.offByPerson.has(id), 'what a person disabled is never enabled');
      t.true(row.auto_disabled, 'only what was disabled automatically is enabled');
      this.#change(id, { enabled: true, auto_disabled: false, switched_by: AUTO_MANAGER });
    }
    if (this.#losesAnswers) throw new Error('connection lost');
    return { applied: true, revision: this.#revision };
  }

  /** By the words of MASS-FAILURE-1 to MASS-FAILURE-3, from every extension. */
  #isMassFailure(): boolean {
    const { core, clock } = this.world;
    let failing = 0;
    let withTraffic = 0;
    for (const runtime of core.supervisor.runtimes.values()) {
      const target = runtime.defaultService?.target;
      if (target === undefined) continue;
      const { successMs, failureMs } = target.last;
      const lately = [successMs, failureMs].some((ms) => ms !== null && clock.now() - ms < HEALTH_WINDOW_MS);
      const fails = target.publishedState !== 'closed' && runtime.extension.breakerOverride !== 'isolated';
      if (!lately && !(fails && target.publishedState === 'open' && runtime.extension.enabled)) continue;
      withTraffic++;
      if (fails) failing++;
    }
    return failing >= 5 && failing * 2 > withTraffic;
  }
}

async function run(schedule: Schedule, steps: readonly Step[]): Promise<void> {
  for (const step of steps) {
    switch (step.what) {
      case 'call':
        schedule.call(IDS[step.which] as string, step.good, step.times);
        break;
      case 'callAll':
        for (const id of IDS) schedule.call(id, step.good, 5);
        break;
      case 'pass':
        await schedule.pass(step.ms);
        break;
      case 'database':
        schedule.database = step.is;
        break;
      case 'decide':
        schedule.decide(IDS[step.which] as string, step.decision);
        break;
      case 'feed':
        schedule.feed();
        break;
      default:
        step satisfies never;
    }
    await settle();
  }
}

/** Long enough for the longest open time, damping, and the brake, one after the other. */
const LONG_ENOUGH_SECONDS = 60;

async function settleDown(schedule: Schedule, behaviours: readonly Behaviour[]): Promise<void> {
  schedule.database = 'there';
  for (let second = 0; second < LONG_ENOUGH_SECONDS; second++) {
    schedule.feed();
    for (const [i, behaviour] of behaviours.entries())
      if (behaviour !== 'idle') schedule.call(IDS[i] as string, behaviour === 'good', 5);
    await schedule.pass(SECOND_MS);
  }
  schedule.feed();
  await settle();
}

test('AUTO-MANAGEMENT-1 to AUTO-MANAGER-6: under any schedule nothing is written that should not be, and the rows end as the breakers and persons have it', async (t) => {
  const seen = { disabled: 0, enabled: 0, braked: 0, offByPerson: 0, stillOpen: 0 };
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 30, maxLength: 60 }),
      ending,
      fc.boolean(),
      async (steps, behaviours, autoEnable) => {
        const schedule = new Schedule(t, autoEnable);
        const { world, rows, offByPerson } = schedule;
        await run(schedule, steps);
        await settleDown(schedule, behaviours);
        t.is(world.core.autoManager.pending, 0);
        for (const [id, row] of rows) {
          const extension = world.core.supervisor.runtimes.get(id)?.extension;
          t.like(extension, { enabled: row.enabled, autoDisabled: row.auto_disabled, revision: row.revision });
          t.false(row.enabled && row.auto_disabled);
          if (offByPerson.has(id)) {
            t.false(row.enabled || row.auto_disabled);
            seen.offByPerson++;
            continue;
          }
          if (row.breaker_override !== null) continue;
          const state = world.core.view.one(id)?.health.circuit_breaker_state;
          if (state === 'closed' && autoEnable) t.true(row.enabled, `${id} is closed and enabled again`);
          if (state === 'open' && !world.core.disableGuard.holds) {
            t.true(row.auto_disabled, `${id} is open and disabled`);
            seen.stillOpen++;
          }
        }
        for (const { change } of world.autoChanges) seen[change === 'auto_disable' ? 'disabled' : 'enabled']++;
        if (world.kinds().includes('mass_failure')) seen.braked++;
      },
    ),
    { numRuns: runs(300), seed: 20_260_103 },
  );
  for (const [what, times] of Object.entries(seen)) t.true(times >= runs(50), `${what}: ${times}`);
});
