// What prom-client knows of the process itself: CPU, memory, event loop lag, garbage collection.
import { collectDefaultMetrics, Registry } from 'prom-client';

/** Gives the text of these metrics; observing begins with the call. */
export function observeProcess(): () => Promise<string> {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return () => registry.metrics();
}
