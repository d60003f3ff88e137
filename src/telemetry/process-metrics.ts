// What prom-client knows of the process itself: CPU, memory, event loop lag, garbage collection.
import { collectDefaultMetrics, Registry } from '#prom-client';

/** Gauges with the names of counters, which `promtool check metrics` refuses; the metrics by type say the same. */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

/** Gives the text of these metrics; observing begins with the call. */
export function observeProcess(): () => Promise<string> {
  const registry = new Registry();
  // Half as often as by default: each look wakes an idle process.
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 20 });
  for (const name of MISNAMED) registry.removeSingleMetric(name);
  // prom-client spells it in a way that strict readers refuse.
  return async () => (await registry.metrics()).replaceAll(/ Nan$/gm, ' NaN');
}
