// A rollout, from the admin API to the rows and back: what an operator sets is written, and answered once it is in force here.
//
// MANAGEMENT-ROLLOUT-1. An answer waits until this daemon has the revision that was written, for a limited time, and says whether it has the
//     percentage in force then: a row may be refused for something else, or another operator may have changed it since.
import { firstValueFrom, from, map, race } from '#rxjs';
import type { Extension } from '../../domain/registry/extension.js';
import { sharesOf } from '../../domain/registry/rollout.js';
import { compareVersions, defaultVersion } from '../../domain/registry/version-choice.js';
import type { Logger } from '../../telemetry/log.js';
import { after } from '../extension/actor-supervision.js';
import type { RolloutAnswer, RolloutDesk, RolloutOrder } from '../ports/api.js';
import type { Clock } from '../ports/clock.js';
import type { ReadRollout, RolloutCommand, RolloutResult, SetRollout } from '../ports/storage.js';
import type { InForce } from './in-force.js';

/** How long the database may take. */
const ANSWER_MS = 5000;
export class Rollout implements RolloutDesk {
  constructor(
    private readonly deps: {
      readonly set: SetRollout;
      readonly read: ReadRollout;
      readonly inForce: InForce;
      readonly registry: {
        readonly runtimes: ReadonlyMap<string, { readonly extension: Extension }>;
      };
      /** A UUID. */
      readonly newId: () => string;
      readonly clock: Clock;
      readonly log: Logger;
    },
  ) {}

  async set(order: RolloutOrder): Promise<RolloutAnswer> {
    const { extensionId: extension_id, version, percent, reason, actor } = order;
    const command = { id: this.deps.newId(), extension_id, version, percent, reason, actor };
    const deadlineMs = this.deps.clock.now() + ANSWER_MS;
    let result: RolloutResult;
    try {
      result = await this.#inTime(
        this.deps.set(command, () => deadlineMs - this.deps.clock.now()),
        '; it may have been written',
      );
    } catch (error) {
      return { kind: 'database_unavailable', message: `a rollout needs the database: ${(error as Error).message}` };
    }
    switch (result.kind) {
      case 'written':
        this.deps.log.info({
          event: 'rollout_written',
          ...logged(command),
          was: result.was,
          revision: result.revision,
        });
        return this.#answer(order, true, result.was, result.revision);
      case 'unchanged':
        return this.#answer(order, false, percent, result.revision);
      default:
        return { kind: result.kind, message: messageOf(order, result) };
    }
  }

  async report(extensionId: string, historyLimit: number): ReturnType<RolloutDesk['report']> {
    try {
      const rows = await this.#inTime(this.deps.read(extensionId, historyLimit));
      if (rows === null) return { kind: 'extension_not_found', message: `no extension '${extensionId}'` };
      const extension = this.deps.registry.runtimes.get(extensionId)?.extension;
      const first = extension === undefined ? null : defaultVersion(extension);
      const shares = extension === undefined ? new Map<string, number>() : sharesOf(extension);
      const versions = rows.versions.map(({ version, enabled, has_rules, rollout_percent, rollout_key }) => ({
        version,
        enabled,
        hasRules: has_rules,
        percent: rollout_percent,
        key: rollout_key,
        share: shares.get(version) ?? null,
      }));
      // The extension's own row, which stands for a version.
      if (first !== null && !versions.some(({ version }) => version === first.version))
        versions.push({
          version: first.version,
          enabled: true,
          hasRules: false,
          percent: null,
          key: null,
          share: shares.get(first.version) ?? null,
        });
      versions.sort((a, b) => compareVersions(a.version, b.version));
      const { revision, history } = rows;
      return { kind: 'report', revision, defaultVersion: first?.version ?? null, versions, history };
    } catch (error) {
      return { kind: 'database_unavailable', message: `a rollout is in the database: ${(error as Error).message}` };
    }
  }

  /** MANAGEMENT-ROLLOUT-1. */
  async #answer(order: RolloutOrder, changed: boolean, was: number | null, revision: number): Promise<RolloutAnswer> {
    const hasIt = await this.deps.inForce.reached(revision);
    const versions = this.deps.registry.runtimes.get(order.extensionId)?.extension.versions ?? [];
    const version = versions.find((v) => v.version === order.version);
    return { kind: 'set', changed, was, revision, inForce: hasIt && version?.rolloutPercent === order.percent };
  }

  /** Rejects if the work does, or if it is not done in time. */
  #inTime<T>(work: Promise<T>, moreover = ''): Promise<T> {
    const late = after(ANSWER_MS, this.deps.clock).pipe(
      map((): never => {
        throw new Error(`no answer within ${ANSWER_MS / 1000} s${moreover}`);
      }),
    );
    return firstValueFrom(race(from(work), late));
  }
}

const logged = ({ extension_id, version, percent, actor, reason }: RolloutCommand) => ({
  extension_id,
  version,
  percent,
  actor,
  reason,
});

type Refused = Exclude<RolloutResult, { kind: 'written' | 'unchanged' }>;

function messageOf({ extensionId, version, percent }: RolloutOrder, result: Refused): string {
  switch (result.kind) {
    case 'extension_not_found':
      return `no extension '${extensionId}'`;
    case 'version_not_found':
      return result.isOwnRow
        ? `version '${version}' is the own row of ${extensionId}, which takes what the others leave: give it a version row`
        : `no version '${version}' of ${extensionId}`;
    case 'version_has_rules':
      return `version '${version}' of ${extensionId} has routing rules, so it cannot have a rollout percentage`;
    case 'rollout_over_100': {
      const taken = result.others.map((other) => `${other.version} ${other.percent}`).join(', ');
      const sum = result.others.reduce((total, other) => total + Math.round(other.percent * 100), 0) / 100;
      return `${percent} for ${version} would make more than 100: the other versions have ${sum} (${taken})`;
    }
    case 'rollout_keys_differ': {
      const all = [{ version, key: result.key }, ...result.others].filter(({ key }) => key !== null);
      const each = all.map((one) => `${one.version} ${JSON.stringify(one.key)}`).join(', ');
      return `the versions in the rollout must have one rollout_key, got ${each}`;
    }
    default:
      return result satisfies never;
  }
}
