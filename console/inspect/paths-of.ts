// A context as paths and values, in its own order; settings last, since they seldom change.
import type { Json } from '../statechart/definition.js';

interface PathValue {
  /** `window.failures`. */
  readonly path: string;
  readonly value: Json;
}

export function contextPaths(context: Readonly<Record<string, Json>>): PathValue[] {
  const { settings, ...others } = context;
  return pathsOf(settings === undefined ? others : { ...others, settings });
}

export function pathsOf(members: Readonly<Record<string, Json>>, above = ''): PathValue[] {
  return Object.entries(members).flatMap(([name, value]) => {
    const path = `${above}${name}`;
    const isMembers = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isMembers && Object.keys(value).length > 0
      ? pathsOf(value as Readonly<Record<string, Json>>, `${path}.`)
      : [{ path, value }];
  });
}
