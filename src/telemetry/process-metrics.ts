// What prom-client knows of the process itself: CPU, memory, event loop lag, garbage collection.
import { collectDefaultMetrics, Registry } from '#prom-client';

/** Gives the text of these metrics; observing begins with the call. */
export function observeProcess(): () => Promise<string> {
  const registry = new Registry();
  // Half as often as by default: each look wakes an idle process.
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 20 });
  // prom-client spells it in a way that strict readers refuse.
  return async () => (await registry.metrics()).replaceAll(/ Nan$/gm, ' NaN');
}
