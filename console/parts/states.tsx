// What stands in the place of a part that is not there: it is loading, it failed, or there is nothing.
import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';

const SLOW_MS = 2000;

/** Grey bars of the final size; after two seconds with words. `lines`: as many bars. `progress`: how much has come. */
export function Loading({ lines = 3, progress = '' }: { readonly lines?: number; readonly progress?: string }) {
  const isSlow = useSignal(false);
  useEffect(() => {
    const timer = setTimeout(() => {
      isSlow.value = true;
    }, SLOW_MS);
    return () => clearTimeout(timer);
  }, []);
  return (
    <div class="loading" aria-busy="true">
      <p class="loading-words">{isSlow.value ? `Still loading … ${progress}` : ' '}</p>
      {Array.from({ length: lines }, (_, i) => (
        <div key={i} class="loading-bar" />
      ))}
    </div>
  );
}

interface FaultProps {
  readonly what: string;
  readonly detail: string;
  readonly code?: string | undefined;
  readonly onRetry?: (() => void) | undefined;
}

export function Fault({ what, detail, code, onRetry }: FaultProps) {
  return (
    <div class="fault" role="alert">
      <p>
        <strong>{what}.</strong> {detail} {code === undefined ? null : <code>{code}</code>}
      </p>
      {onRetry === undefined ? null : (
        <button type="button" onClick={onRetry}>
          Try again
        </button>
      )}
    </div>
  );
}

interface UnreadProps {
  /** `The policy`. */
  readonly what: string;
  readonly problem: { readonly detail: string; readonly code: string } | null;
  readonly again: () => void;
  readonly lines?: number;
}

/** In the place of an answer that is not there: it is being read, or why it cannot be. */
export function Unread({ what, problem, again, lines = 3 }: UnreadProps) {
  if (problem === null) return <Loading lines={lines} />;
  return <Fault what={`${what} cannot be read`} detail={problem.detail} code={problem.code} onRetry={again} />;
}

export function Empty({ children }: { readonly children: ComponentChildren }) {
  return <div class="empty">{children}</div>;
}
