// What is measured of an extension, beside its rows.
import type { ActorSystem } from '../actors/actor-system.js';
import { instanceInFlight } from '../actors/extension/instance-in-flight.js';
import type { Measured } from '../actors/ports/management.js';
import type { ExtensionHealth } from '../domain/health/health-schema.js';

export function measuredOf({ health, supervisor }: ActorSystem, extensionId: string): Measured | null {
  const runtime = supervisor.runtimes.get(extensionId);
  const parts = health.one(extensionId);
  if (runtime === undefined || parts === null) return null;
  const { versions, instances } = JSON.parse([...parts].join('')) as ExtensionHealth;
  const statuses = new Map(instances.map(({ id, health_status }) => [id, health_status]));
  return {
    versions: new Map(versions.map(({ version, circuit_breaker_state }) => [version, { circuit_breaker_state }])),
    instances: new Map(
      runtime.extension.instances.map((instance) => [
        instance.id,
        { health_status: statuses.get(instance.id) ?? 'unknown', in_flight: instanceInFlight(runtime, instance) },
      ]),
    ),
  };
}
