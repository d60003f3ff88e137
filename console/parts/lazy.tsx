// A part of the console that is loaded when it is shown first.
//
// LAZY-1. A part that cannot be drawn says so in its place; what is around it stays.
import { useSignal } from '@preact/signals';
import type { ComponentChildren, ComponentType } from 'preact';
import { useEffect, useErrorBoundary } from 'preact/hooks';
import { Fault, Loading } from './states.js';

interface LazyProps<P> {
  /** The same function for the same part. */
  readonly load: () => Promise<{ readonly default: ComponentType<P> }>;
  readonly props: P;
}

const loaded = new Map<unknown, ComponentType<never>>();

export function Lazy<P extends object>({ load, props }: LazyProps<P>) {
  const ready = useSignal<unknown>(null);
  const fault = useSignal<string | null>(null);
  useEffect(() => {
    let isWanted = true;
    fault.value = null;
    if (loaded.has(load)) return;
    load().then(
      ({ default: component }) => {
        loaded.set(load, component as ComponentType<never>);
        // Another part may be wanted by now.
        if (isWanted) ready.value = load;
      },
      (error: Error) => {
        if (isWanted) fault.value = error.message;
      },
    );
    return () => {
      isWanted = false;
    };
  }, [load]);
  ready.value;
  const Part = loaded.get(load) as ComponentType<P> | undefined;
  if (Part !== undefined)
    return (
      <Guarded key={load}>
        <Part {...props} />
      </Guarded>
    );
  if (fault.value === null) return <Loading />;
  return (
    <Fault
      what="This part of the console could not be loaded"
      detail={`${fault.value}. After an update of the daemon, its files have other names: load the page again.`}
      onRetry={() => location.reload()}
    />
  );
}

/** LAZY-1. */
function Guarded({ children }: { readonly children: ComponentChildren }) {
  const [fault, again] = useErrorBoundary((error) => reportError(error));
  if (fault === undefined) return <>{children}</>;
  return (
    <Fault
      what="This part of the page failed"
      detail={`${(fault as Error).message}. It may be of another version than the daemon: load the page again.`}
      onRetry={again}
    />
  );
}
