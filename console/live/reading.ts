// One answer of the API in a part of a page: read when the part is shown, and again when it may have changed.
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { type Problem, problemOf, read } from './api.js';
import { freshness } from './connection.js';

interface Reading<T> {
  /** Of the last time; null: not yet. */
  readonly value: T | null;
  /** Why the last attempt failed; null: it did not. */
  readonly problem: Problem | null;
  readonly again: () => void;
}

interface ReadingOptions {
  /** Reads again after so many ms; absent: only when asked, and after a reconnection. */
  readonly every?: number | undefined;
  /** Reads again when this is another. */
  readonly key?: unknown;
}

/** `path` null: nothing is read. Another path: what was read before is gone. */
export function useReading<T>(path: string | null, { every, key }: ReadingOptions = {}): Reading<T> {
  const state = useSignal<Omit<Reading<T>, 'again'> & { readonly path: string | null }>({
    path: null,
    value: null,
    problem: null,
  });
  const turn = useSignal(0);
  useEffect(() => {
    if (path === null) return;
    const controller = new AbortController();
    let isUnderWay = false;
    const attempt = async (): Promise<void> => {
      // Where an answer takes longer than `every`, the next attempt waits: requests that pile up would hold the browser's few connections.
      if (isUnderWay) return;
      isUnderWay = true;
      try {
        const value = await read<T>(path, controller.signal);
        if (!controller.signal.aborted) state.value = { path, value, problem: null };
      } catch (error) {
        if (controller.signal.aborted) return;
        const kept = state.peek();
        state.value = { ...(kept.path === path ? kept : { path, value: null }), problem: problemOf(error) };
      } finally {
        isUnderWay = false;
      }
    };
    void attempt();
    const timer = every === undefined ? undefined : setInterval(() => !document.hidden && attempt(), every);
    return () => {
      controller.abort();
      clearInterval(timer);
    };
  }, [path, every, key, turn.value, freshness.value]);
  const { value, problem } = state.value;
  const isOfPath = state.value.path === path;
  return {
    value: isOfPath ? value : null,
    problem: isOfPath ? problem : null,
    again: () => {
      turn.value++;
    },
  };
}
