// What a version can be called by: its row, its target, and the routes to where it answers, made once per change.
import { isDeepStrictEqual } from 'node:util';
import { InstancePool } from '../domain/balance.js';
import type { Extension, Instance, Version } from '../domain/extension.js';
import type { Balancer } from '../domain/policy.js';
import { instancesOf } from '../domain/registry-validation.js';
import type { Endpoint } from './endpoint.js';
import type { PrepareRoute, Route } from './ports.js';
import type { Target } from './target.js';

/** A version that can be called: what it is, what guards it, and where it answers. */
export interface Service {
  readonly version: Version;
  readonly target: Target;
  /** Where the version has no instance rows: its own subject. */
  readonly ownRoute: Route;
  /** null: no instance rows, the subject's queue group is the pool. */
  readonly pool: InstancePool<Endpoint, Route> | null;
  readonly instances: readonly Instance[];
  /** What routes and pool were made of; while it is the same they stay, and with them the turns of the pool. */
  readonly madeOf: {
    readonly subject: string;
    readonly config: Extension['config'] | null;
    readonly balancer: Balancer;
    readonly instances: readonly Omit<Instance, 'healthStatus' | 'revision'>[];
  };
}

/** `Extreg-Config` is delivered up to this size. */
const MAX_CONFIG_BYTES = 8192;

/** `previous`: the version's service until now, whose routes and turns stay where nothing about them changes. */
export function makeService(
  extension: Extension,
  version: Version,
  target: Target,
  { prepareRoute, random }: { readonly prepareRoute: PrepareRoute; readonly random: () => number },
  previous?: Service,
): Service {
  const instances = instancesOf(extension, version);
  const usable = instances.filter((i) => i.enabled && i.weight > 0);
  target.rotation.keep(new Set(instances.map((i) => i.subject)), new Set(usable.map((i) => i.subject)));
  const madeOf = {
    subject: version.subject,
    config: configFor(extension, version),
    balancer: extension.policy.balancer ?? 'weighted_round_robin',
    instances: instances.map(({ healthStatus: _, revision: __, ...instance }) => instance),
  };
  if (previous !== undefined && isDeepStrictEqual(previous.madeOf, madeOf)) return { ...previous, version, instances };
  const route = (instanceId: string | null, subject: string): Route =>
    prepareRoute({ extensionId: extension.id, version: version.version, instanceId, subject, config: madeOf.config });
  const seat = (instance: Instance) => target.rotation.at(instance.subject);
  const value = (instance: Instance) => route(instance.id, instance.subject);
  const pool = instances.length === 0 ? null : new InstancePool(instances, madeOf.balancer, seat, value, random);
  return { version, target, instances, madeOf, ownRoute: route(null, version.subject), pool };
}

/** Version config over extension config; null: nothing to deliver, not wanted, or too large for a header. */
function configFor(extension: Extension, version: Version): Extension['config'] | null {
  const config = { ...extension.config, ...version.config };
  if (extension.policy.deliver_config === false || Object.keys(config).length === 0) return null;
  return Buffer.byteLength(JSON.stringify(config)) > MAX_CONFIG_BYTES ? null : config;
}
