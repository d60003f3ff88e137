// What is measured of an extension, beside its rows.
import type { ActorSystem } from '../actors/actor-system.js';
import { instanceInFlight } from '../actors/extension/instance-in-flight.js';
import type { Measured } from '../actors/ports/management.js';
import { instanceOf, versionOf } from '../domain/registry/extension-index.js';

type Sources = Pick<ActorSystem, 'view' | 'supervisor'>;

export function measuredOf({ view, supervisor }: Sources, extensionId: string): Measured | null {
  const runtime = supervisor.runtimes.get(extensionId);
  if (runtime === undefined) return null;
  return {
    version(name) {
      const service = runtime.service(name);
      if (service !== null) return { circuit_breaker_state: service.target.facts().state };
      return versionOf(runtime.extension, name) === undefined ? null : { circuit_breaker_state: 'closed' };
    },
    instance(id) {
      const instance = instanceOf(runtime.extension, id);
      if (instance === undefined) return null;
      return {
        health_status: view.instanceStatus(runtime, instance),
        in_flight: instanceInFlight(runtime, instance),
      };
    },
  };
}
