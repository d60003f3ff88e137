// Keys that the part in view takes: a page says what each does while it is shown.
import { useLayoutEffect } from 'preact/hooks';

type Bindings = Readonly<Record<string, () => void>>;
const stack: Bindings[] = [];

/** `bindings`: by the name of the key; the part that was shown last comes first. In force before the next key: an effect that waits for the frame is late. */
export function usePageKeys(bindings: Bindings): void {
  useLayoutEffect(() => {
    stack.unshift(bindings);
    return () => {
      stack.splice(stack.indexOf(bindings), 1);
    };
  });
}

/** False: nothing takes this key. */
export function runKey(key: string): boolean {
  const found = stack.find((bindings) => bindings[key] !== undefined);
  found?.[key]?.();
  return found !== undefined;
}
