// Random schedules of an operator's verbs, other people's decisions, automatic changes, failing calls, a feed that is late and
// a database that goes away, hangs and loses answers. Each schedule is told by its seed, so that a failure can be run again.
import test, { type ExecutionContext } from 'ava';
import type { RegistryEntry } from '../../../src/domain/registry/registry-rows.js';
import { overrideOf, VERBS, type Verb } from '../../../src/domain/registry/verbs.js';
import { settle } from '../../helpers/actor-world.js';
import { seeds } from '../../helpers/depth.js';
import { versionRow } from '../../helpers/registry-rows.js';
import { RegistryWorld } from '../../helpers/registry-world.js';
import { seededRandom } from '../../helpers/seeded-random.js';

const SEEDS = seeds(300);
const STEPS = 40;
const ROWS = [null, 'v1', 'v2'] as const;
type Row = (typeof ROWS)[number];

interface Said {
  readonly verb: Verb;
  readonly row: Row;
  readonly by: 'us' | 'them';
  /** `unknown`: it was refused for want of a database, which may have written it all the same. */
  end: 'under way' | 'in force' | 'owed' | 'unknown';
  /** They had decided what the feed had not told when we did. */
  readonly isBlind: boolean;
}

class Schedule {
  readonly world = new RegistryWorld({}, [versionRow('a', 'v2'), versionRow('a', 'v1', { routing_rules: { t: 'x' } })]);
  readonly random: () => number;
  readonly said: Said[] = [];
  readonly #untold: { readonly revision: number; readonly entry: RegistryEntry }[] = [];
  #release: () => void = () => {};
  #losesAnswers = false;

  constructor(seed: number) {
    this.random = seededRandom(seed);
    const { verb } = this.world;
    this.world.verb = async (command, remainingMs) => {
      const result = await verb(command, remainingMs);
      if (this.#losesAnswers && this.random() < 0.5) throw new Error('connection lost');
      return result;
    };
  }

  async run(): Promise<void> {
    for (let step = 0; step < STEPS; step++) {
      this.#step();
      await settle();
    }
  }

  /** The database is there from now on, and the feed tells everything. */
  async end(): Promise<void> {
    const { world } = this;
    this.#losesAnswers = false;
    world.isDatabaseAway = false;
    this.#release();
    for (let second = 0; second < 12; second++) {
      this.#read();
      this.#tell();
      await world.pass(1000, 500);
    }
  }

  #pick<T>(of: readonly T[]): T {
    return of[Math.floor(this.random() * of.length)] as T;
  }

  #step(): void {
    const { world } = this;
    const dice = this.random();
    if (dice < 0.22) this.#say(this.#pick(VERBS), this.#pick(ROWS));
    else if (dice < 0.32) this.#decideElsewhere(this.#pick(VERBS), this.#pick(ROWS));
    else if (dice < 0.42) this.#read();
    else if (dice < 0.56) this.#tell();
    else if (dice < 0.66) world.fail(3);
    else if (dice < 0.72) world.callEnding('a', 0);
    else if (dice < 0.84) world.clock.advance(this.random() * 3000);
    else if (dice < 0.88) world.isDatabaseAway = !world.isDatabaseAway;
    else if (dice < 0.92) this.#hang();
    else if (dice < 0.97) this.#release();
    else this.#losesAnswers = !this.#losesAnswers;
  }

  #hang(): void {
    this.#release();
    this.#release = this.world.hang();
  }

  #say(verb: Verb, row: Row): void {
    const seen = this.world.core.supervisor.revision ?? 0;
    const isBlind = this.world.trail.some(({ by, revision }) => by === 'admin:bob' && revision > seen);
    const said: Said = { verb, row, by: 'us', end: 'under way', isBlind };
    this.said.push(said);
    void this.world.say(verb, row).then((answer) => {
      said.end = answer.kind !== 'in_force' ? 'unknown' : answer.owed ? 'owed' : 'in force';
    });
  }

  /** Only where nothing of ours is under way: of two at the same time, the database chooses. */
  #decideElsewhere(verb: Verb, row: Row): void {
    if (this.said.some(({ end }) => end === 'under way')) return;
    this.world.elsewhere(verb, row);
    this.said.push({ verb, row, by: 'them', end: 'in force', isBlind: false });
  }

  /** The feed looks. */
  #read(): void {
    if (!this.world.isDatabaseAway) this.#untold.push({ revision: this.world.revision, entry: this.world.entry() });
  }

  #tell(): void {
    for (const { entry, revision } of this.#untold.splice(0)) this.world.tell(entry, revision);
  }
}

function check(t: ExecutionContext, { world, said }: Schedule, about: string): void {
  const runtime = world.core.supervisor.runtimes.get('a');
  if (runtime === undefined) return t.fail(about);
  const { extension } = runtime;
  const { row, versions } = world;
  t.is(world.core.operator.pending, 0, `nothing is owed any more, ${about}`);
  t.true(
    said.every(({ end }) => end !== 'under way'),
    `every verb is answered, ${about}`,
  );
  // What is in force is what the registry says.
  t.like(
    extension,
    { enabled: row.enabled, autoDisabled: row.auto_disabled, breakerOverride: row.breaker_override } as never,
    about,
  );
  t.is(extension.breakerResets, row.breaker_resets, about);
  for (const version of versions)
    t.like(
      extension.versions.find((v) => v.version === version.version),
      {
        enabled: version.enabled,
        breakerOverride: version.breaker_override,
        breakerResets: version.breaker_resets,
      } as never,
      about,
    );
  for (const { version, target } of runtime.services) {
    const override = overrideOf(extension, version.version);
    t.is(target.mode === 'isolated', override === 'isolated', `${version.version} is ${target.mode}, ${about}`);
    t.is(
      target.mode === 'forcedClosed',
      override === 'forced_closed',
      `${version.version} is ${target.mode}, ${about}`,
    );
  }
  // What the registry says is what the last person decided.
  for (const name of ROWS) {
    const last = said.findLast((one) => one.row === name);
    if (last === undefined || last.end === 'unknown') continue;
    // What we owed is void where they decided anything about the extension that we had not seen.
    const isVoid = last.isBlind || said.slice(said.indexOf(last)).some(({ by }) => by === 'them');
    if (last.end === 'owed' && isVoid) continue;
    const { enabled, breaker_override } = name === null ? row : (versions.find((v) => v.version === name) ?? row);
    const isAuto = name === null && row.auto_disabled;
    const what = `${last.verb} of ${name ?? 'all'} by ${last.by} is the last word, ${about}`;
    if (last.verb === 'disable') t.deepEqual([enabled, isAuto], [false, false], what);
    else if (last.verb === 'enable') t.true(enabled || isAuto, what);
    else if (last.verb === 'isolate') t.is(breaker_override, 'isolated', what);
    else if (last.verb === 'force-closed') t.is(breaker_override, 'forced_closed', what);
    else t.is(breaker_override, null, what);
  }
}

test(`invariants: in ${SEEDS.length} random schedules the last person has the last word, here and in the registry`, async (t) => {
  let voids = 0;
  let owed = 0;
  let automatic = 0;
  for (const seed of SEEDS) {
    const schedule = new Schedule(seed);
    await schedule.run();
    await schedule.end();
    check(t, schedule, `seed ${seed}`);
    const { world } = schedule;
    voids += world.kinds().filter((kind) => kind === 'verb_void').length;
    automatic += world.autoChanges.length;
    owed += world.verbs.filter(({ decidedEarlier }) => decidedEarlier !== null).length;
    await world.core.stop();
  }
  t.true(voids > SEEDS.length / 10, `${voids} void verbs were seen`);
  t.true(owed > SEEDS.length, `${owed} owed verbs were seen`);
  t.true(automatic > SEEDS.length / 10, `${automatic} automatic changes were seen`);
});
