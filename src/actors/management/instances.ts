// Instances that an operator drains or gives calls again, from the admin API to the database and back.
//
// INSTANCES-1. An answer waits until this daemon has the weight in force, for a limited time, and says whether it has.
import { answerWithin } from '../../telemetry/deadline.js';
import type { Logger } from '../../telemetry/log.js';
import type { ExtensionRuntime } from '../extension/extension-runtime.js';
import { instanceInFlight } from '../extension/instance-in-flight.js';
import type { Clock } from '../ports/clock.js';
import type {
  DrainOrder,
  InstanceDesk,
  SetWeight,
  UndrainOrder,
  WeightAnswer,
  WeightCommand,
  WeightResult,
} from '../ports/instances.js';
import type { InForce } from './in-force.js';

/** How long the database may take. */
const ANSWER_MS = 5000;

interface InstancesDeps {
  readonly set: SetWeight;
  readonly inForce: InForce;
  readonly registry: { readonly runtimes: ReadonlyMap<string, ExtensionRuntime> };
  /** A UUID. */
  readonly newId: () => string;
  readonly clock: Clock;
  readonly log: Logger;
}

export class Instances implements InstanceDesk {
  constructor(private readonly deps: InstancesDeps) {}

  drain(order: DrainOrder): Promise<WeightAnswer> {
    return this.#set({ ...order, weight: 0 });
  }

  undrain(order: UndrainOrder): Promise<WeightAnswer> {
    return this.#set(order);
  }

  async #set({ extensionId, instanceId, weight, actor, reason }: UndrainOrder): Promise<WeightAnswer> {
    const id = this.deps.newId();
    const command = { id, extension_id: extensionId, instance_id: instanceId, weight, actor, reason };
    let result: WeightResult;
    try {
      result = await this.#write(command);
    } catch (error) {
      this.deps.log.warn({ event: 'weight_unavailable', error: String(error) });
      return { kind: 'database_unavailable', message: `weights are in the database: ${(error as Error).message}` };
    }
    if ('weight' in result) return this.#answer(command, result);
    const { kind } = result;
    const isExtension = kind === 'extension_not_found';
    const message = isExtension ? `no extension '${extensionId}'` : `no instance '${instanceId}' of ${extensionId}`;
    return { kind, message };
  }

  async #write(command: WeightCommand): Promise<WeightResult> {
    const deadlineMs = this.deps.clock.now() + ANSWER_MS;
    const work = this.deps.set(command, () => deadlineMs - this.deps.clock.now());
    return answerWithin(ANSWER_MS, work, this.deps.clock, '; it may have been written');
  }

  /** INSTANCES-1. */
  async #answer(
    { extension_id, instance_id, actor, reason }: WeightCommand,
    { kind, weight, was, rowRevision, revision }: WeightResult & { readonly kind: 'written' | 'unchanged' },
  ): Promise<WeightAnswer> {
    if (kind === 'written') {
      const how = weight === 0 ? 'drain' : 'undrain';
      this.deps.log.info({
        event: 'instance_weight_written',
        extension_id,
        instance_id,
        how,
        weight,
        was,
        actor,
        reason,
      });
    }
    const hasIt = await this.deps.inForce.reached(revision);
    const runtime = this.deps.registry.runtimes.get(extension_id);
    const instance = runtime?.extension.instances.find((one) => one.id === instance_id);
    const inFlight = runtime === undefined || instance === undefined ? 0 : instanceInFlight(runtime, instance);
    return { kind: 'set', weight, was, revision: rowRevision, inForce: hasIt && instance?.weight === weight, inFlight };
  }
}
