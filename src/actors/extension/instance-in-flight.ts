// Attempts in flight to an instance, as far as this daemon sent them: those of instances that share a subject are one number.
import type { Instance } from '../../domain/registry/extension.js';
import { versionsServedBy } from '../../domain/registry/extension-index.js';
import type { ExtensionRuntime } from './extension-runtime.js';

/** Also those to versions that were disabled meanwhile. */
export function instanceInFlight(runtime: ExtensionRuntime, instance: Instance): number {
  const names = new Set(versionsServedBy(runtime.extension, instance));
  const ended = [...runtime.endedServices].filter(({ version }) => names.has(version.version));
  let sum = 0;
  for (const { target } of new Set([...runtime.servicesOf(instance), ...ended]))
    sum += target.rotation.at(instance.subject).inFlight;
  return sum;
}
