// A part of the console that is loaded when it is shown first.
import { useSignal } from '@preact/signals';
import type { ComponentType } from 'preact';
import { useEffect } from 'preact/hooks';
import { Fault, Loading } from './states.js';

interface LazyProps<P> {
  /** The same function for the same part. */
  readonly load: () => Promise<{ readonly default: ComponentType<P> }>;
  readonly props: P;
}

const loaded = new Map<unknown, ComponentType<never>>();

export function Lazy<P extends object>({ load, props }: LazyProps<P>) {
  const part = useSignal(loaded.get(load) as ComponentType<P> | undefined);
  const fault = useSignal<string | null>(null);
  const begin = () => {
    fault.value = null;
    load().then(
      ({ default: component }) => {
        loaded.set(load, component as ComponentType<never>);
        part.value = component;
      },
      (error: Error) => {
        fault.value = error.message;
      },
    );
  };
  useEffect(() => {
    part.value = loaded.get(load) as ComponentType<P> | undefined;
    if (part.value === undefined) begin();
  }, [load]);
  const Part = part.value;
  if (Part !== undefined) return <Part {...props} />;
  if (fault.value === null) return <Loading />;
  return (
    <Fault
      what="This part of the console could not be loaded"
      detail={`${fault.value}. After an update of the daemon, its files have other names: load the page again.`}
      onRetry={() => location.reload()}
    />
  );
}
