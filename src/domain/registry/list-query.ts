// What selects and sorts a list of extensions, and how a request over HTTP or NATS says it.
import type { BreakerOverride } from './extension.js';

export interface ListQuery {
  readonly limit: number;
  /** `next` of the page before. */
  readonly after?: string;
  /** Part of an id, in any case. */
  readonly q?: string;
  readonly ids?: ReadonlySet<string>;
  readonly states?: ReadonlySet<string>;
  readonly types?: ReadonlySet<string>;
  readonly enabled?: boolean;
  readonly autoDisabled?: boolean;
  readonly override?: BreakerOverride | 'none';
  /** Only what is not well. */
  readonly wrong?: boolean;
  /** Names of columns, each with `-` before it for descending order. */
  readonly sort?: readonly string[];
}

/** What HTTP and NATS take of a list, by the same names. */
interface ListRequest extends Omit<ListQuery, 'limit' | 'ids' | 'states' | 'types' | 'autoDisabled'> {
  readonly limit?: number;
  readonly id?: readonly string[];
  readonly state?: readonly string[];
  readonly type?: readonly string[];
  readonly auto_disabled?: boolean;
}

export function listQueryOf(request: ListRequest, defaultLimit: number): ListQuery {
  const { limit = defaultLimit, id, state, type, auto_disabled: autoDisabled, ...rest } = request;
  return {
    ...rest,
    limit,
    ...(id === undefined ? {} : { ids: new Set(id) }),
    ...(state === undefined ? {} : { states: new Set(state) }),
    ...(type === undefined ? {} : { types: new Set(type) }),
    ...(autoDisabled === undefined ? {} : { autoDisabled }),
  };
}
