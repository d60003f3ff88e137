// How a version is called: its row, its target, and the routes to its instances, made once per change.
//
// SERVICE-1. An instance that was deleted and inserted again begins anew: nothing that was measured of its subject applies to it, unless
//      another instance with that subject stayed.
import { isDeepStrictEqual } from 'node:util';
import { type Extension, type Instance, isSameRow, type Version } from '../../domain/registry/extension.js';
import { instancesOf } from '../../domain/registry/extension-index.js';
import type { Balancer } from '../../domain/registry/policy.js';
import { InstancePool } from '../../domain/routing/instance-pool.js';
import type { Steps } from '../../domain/steps.js';
import type { PrepareRoute, Route } from '../ports/transport.js';
import type { Endpoint } from '../target/endpoint.js';
import type { Target } from '../target/target.js';

/** A version that can be called: its row, the target that guards it, and its routes. */
export interface Service {
  readonly version: Version;
  readonly target: Target;
  /** Used if the version has no instance rows: its own subject. */
  readonly ownRoute: Route;
  /** null: no instance rows, the subject's queue group is the pool. */
  readonly pool: InstancePool<Endpoint, Route> | null;
  readonly instances: readonly Instance[];
  /** Of the extension that it was made for. */
  readonly extensionParts: Pick<Extension, 'config' | 'policy'>;
  /** What routes and pool were made of, beside the instances; while it is the same they stay, and with them their turns. */
  readonly madeOf: {
    readonly subject: string;
    readonly config: Extension['config'] | null;
    readonly balancer: Balancer;
  };
}

/** `Extreg-Config` is delivered up to this size. */
const MAX_CONFIG_BYTES = 8192;

/** `previous`: the version's service until now, whose routes and turns stay if nothing about them changes. */
export function* makingService(
  extension: Extension,
  version: Version,
  target: Target,
  { prepareRoute, random }: { readonly prepareRoute: PrepareRoute; readonly random: () => number },
  previous?: Service,
): Steps<Service> {
  const instances = instancesOf(extension, version);
  const { config, policy } = extension;
  if (previous !== undefined && isSameService(previous, version, extension, instances)) return previous;
  const extensionParts = { config, policy };
  // SERVICE-1. As if it had been read while they were deleted.
  const stayed = previous === undefined ? null : yield* findingStayed(previous, instances);
  if (stayed !== null) yield* keepingEndpoints(target, stayed);
  yield* keepingEndpoints(target, instances);
  const madeOf = {
    subject: version.subject,
    config: configFor(extension, version),
    balancer: policy.balancer ?? 'weighted_round_robin',
  };
  if (previous !== undefined && stayed === null && isDeepStrictEqual(previous.madeOf, madeOf))
    if (
      instances.length === previous.instances.length &&
      instances.every((one, i) => takesSame(one, previous.instances[i]))
    )
      return { ...previous, version, instances, extensionParts };
  const route = (instanceId: string | null, subject: string): Route =>
    prepareRoute({ extensionId: extension.id, version: version.version, instanceId, subject, config: madeOf.config });
  const seat = (instance: Instance) => target.rotation.at(instance.subject);
  const value = (instance: Instance) => route(instance.id, instance.subject);
  const pool =
    instances.length === 0 ? null : yield* InstancePool.making(instances, madeOf.balancer, seat, value, random);
  return { version, target, instances, extensionParts, madeOf, ownRoute: route(null, version.subject), pool };
}

/** True: either of these may be picked for the other. */
function takesSame(a: Instance, b: Instance | undefined): boolean {
  if (a === b) return true;
  if (b === undefined || a.id !== b.id || a.subject !== b.subject) return false;
  return a.weight === b.weight && a.enabled === b.enabled && a.version === b.version;
}

/** Version config over extension config; null: nothing to deliver, not wanted, or too large for a header. */
function configFor(extension: Extension, version: Version): Extension['config'] | null {
  const config = { ...extension.config, ...version.config };
  if (extension.policy.deliver_config === false || Object.keys(config).length === 0) return null;
  return Buffer.byteLength(JSON.stringify(config)) > MAX_CONFIG_BYTES ? null : config;
}

/** What says the same as before is the same object as before (REGISTRY-VALIDATION-3 of registry-validation.ts). */
function isSameService(
  previous: Service,
  version: Version,
  { config, policy }: Extension,
  instances: readonly Instance[],
): boolean {
  const { extensionParts: parts } = previous;
  if (previous.version !== version || parts.config !== config || parts.policy !== policy) return false;
  if (previous.instances === instances) return true;
  return previous.instances.length === instances.length && instances.every((one, i) => one === previous.instances[i]);
}

/** Those that were not deleted and inserted again; null: all of them. */
function* findingStayed(previous: Service, instances: readonly Instance[]): Steps<readonly Instance[] | null> {
  const before = new Map<string, Instance>();
  for (const instance of previous.instances) {
    before.set(instance.id, instance);
    yield;
  }
  const stayed: Instance[] = [];
  let isAnyOther = false;
  for (const instance of instances) {
    const known = before.get(instance.id);
    if (known !== undefined && isSameRow(known, instance)) stayed.push(instance);
    else isAnyOther ||= known !== undefined;
    yield;
  }
  return isAnyOther ? stayed : null;
}

function* keepingEndpoints({ rotation }: Target, instances: readonly Instance[]): Steps<void> {
  const subjects = new Set<string>();
  const usable = new Set<string>();
  for (const { subject, enabled, weight } of instances) {
    subjects.add(subject);
    if (enabled && weight > 0) usable.add(subject);
    yield;
  }
  yield* rotation.keeping(subjects, usable);
}
