// One answer of the API in a part of a page: read when the part is shown, and again when it may have changed.
//
// READING-1. At most one request is under way for it: a browser has six connections to one host, and answers that come late would take them all.
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

/** After so long without an answer it is asked for again. */
const PATIENCE_MS = 30_000;

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
    let underWay: AbortController | null = null;
    let begunMs = 0;
    const attempt = async (): Promise<void> => {
      // READING-1.
      if (underWay !== null && performance.now() - begunMs < PATIENCE_MS) return;
      underWay?.abort();
      const controller = new AbortController();
      underWay = controller;
      begunMs = performance.now();
      try {
        const value = await read<T>(path, controller.signal);
        if (!controller.signal.aborted) state.value = { path, value, problem: null };
      } catch (error) {
        if (controller.signal.aborted) return;
        const kept = state.peek();
        state.value = { ...(kept.path === path ? kept : { path, value: null }), problem: problemOf(error) };
      } finally {
        if (underWay === controller) underWay = null;
      }
    };
    void attempt();
    const timer = every === undefined ? undefined : setInterval(() => !document.hidden && attempt(), every);
    return () => {
      underWay?.abort();
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
